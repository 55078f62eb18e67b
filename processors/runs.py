"""Runs of touchpoints: intervals without a longer pause than a gap. The algebra under sessions and journeys.

A list of runs is what one gets by joining every two touchpoints that lie at most `gap` apart, so it does not depend on the
order in which they came, and the union of two lists is the list of both sets of touchpoints.
"""

from bisect import bisect_left
from operator import attrgetter

import msgspec


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One channel's share of a run: how many touchpoints, and the first of them (milliseconds since epoch, UTC)."""

    touchpoints: int
    first: int


class Run(msgspec.Struct, array_like=True, gc=False):
    """From first to last touchpoint (milliseconds since epoch, UTC), how many, and by channel where that matters."""

    start: int
    end: int
    touchpoints: int
    channels: dict[str, Part] = msgspec.field(default_factory=dict)


def touch(runs: list[Run], at: int, gap_ms: int, channel: str = "") -> None:
    """Put one touchpoint into a list of runs, in place; `channel` where the run counts by channel.

    The same as `put` of a run of one. Nearly every touchpoint is among the newest, and such a one changes the last run alone: it
    cannot reach the run before, which ended more than a gap ahead of the last one's start.
    """
    if runs:
        last = runs[-1]
        if last.start <= at <= last.end + gap_ms:
            if at > last.end:
                last.end = at
            last.touchpoints += 1
            if channel:
                held = last.channels.get(channel)
                if held is None:
                    last.channels[channel] = Part(1, at)
                else:
                    last.channels[channel] = Part(held.touchpoints + 1, held.first if held.first < at else at)
            return
    put(runs, Run(at, at, 1, {channel: Part(1, at)} if channel else {}), gap_ms)


def put(runs: list[Run], new: Run, gap_ms: int) -> None:
    """Put one run into a list of runs, in place, joining whatever lies at most a gap away."""
    if not runs or new.start - runs[-1].end > gap_ms:
        runs.append(new)
        return
    low = bisect_left(runs, new.start - gap_ms, key=attrgetter("end"))
    high = low
    while high < len(runs) and runs[high].start - new.end <= gap_ms:
        new = joined(runs[high], new)
        high += 1
    runs[low:high] = [new]


def joined(one: Run, other: Run) -> Run:
    """The run that spans both."""
    channels = dict(one.channels)
    for name, part in other.channels.items():
        held = channels.get(name)
        channels[name] = Part(held.touchpoints + part.touchpoints, min(held.first, part.first)) if held else part
    return Run(min(one.start, other.start), max(one.end, other.end), one.touchpoints + other.touchpoints, channels)


def union(lists: list[list[Run]], gap_ms: int) -> list[Run]:
    """The runs of all touchpoints of several lists; the lists stay as they are."""
    if len(lists) == 1:
        return lists[0]
    whole: list[Run] = []
    for run in sorted((run for runs in lists for run in runs), key=attrgetter("start")):
        put(whole, run, gap_ms)
    return whole


def forget(runs: list[Run], before: int) -> None:
    """Drop the runs that ended before a time, in place."""
    del runs[: bisect_left(runs, before, key=attrgetter("end"))]
