"""Which offsets to insert next, and what to remember of it before and after. Pure.

One insert holds records of all partitions of a topic that are inserted together (see `sinks.assignment`). Its plan, a range of
offsets for each partition that has part in it and the version of the rows, is committed as metadata of each of these partitions'
offsets before the insert, all in one request, and cleared by the commit after it. So after a crash the very same ranges are
inserted again under the same token, and ClickHouse drops them if they were there already. Two properties suffice: whatever fails is
done again, and it is done again identically.

    committed (offset, plan)             buffered offsets       next insert
    0: 5            1: 2                 0: 5 6 7    1: 2       0: 5-7, 1: 2-2, when that is enough or old enough
    0: 5, 5-7 2-2   1: 2, 5-7 2-2        0: 5 6      1: 2       none yet: 7 is still to come
    0: 5, 5-7 2-2   1: 2, 5-7 2-2        0: 5 6 7 8  1: 2 3     0: 5-7, 1: 2-2, whatever else is there
    0: 5, 5-7 2-2   1: 2, 5-7 2-2        0: 5 6 9    1: 2       the same, though 7 held no record (a transaction's marker)
    0: 5, 5-7 2-2   1: 2                 any                    none: somebody has moved an offset, and PlanUnreadable says so
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

METADATA_VERSION: Final = 2
_RANGE: Final = r"[0-9]+:[0-9]+-[0-9]+"
_METADATA: Final = re.compile(rf"{METADATA_VERSION};([0-9]+);({_RANGE}(?:,{_RANGE})*)", re.ASCII)

Offsets = Mapping[int, Sequence[int]]
"""Offsets of records by partition, ascending."""


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of one partition, both ends included."""

    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one insert holds: at most one range of a partition, ascending by partition, and the version of the rows made of them."""

    ranges: tuple[Range, ...]
    rows_version: int

    def token(self, table: str, topic: str) -> str:
        """The deduplication token: a function of what is inserted and of nothing else."""
        return f"{table};{topic};{self._says()}"

    def metadata(self) -> str:
        """For the offset commit before the insert; the same for every partition that has part in it."""
        return f"{METADATA_VERSION};{self._says()}"

    def _says(self) -> str:
        return f"{self.rows_version};{','.join(map(str, self.ranges))}"


class PlanUnreadable(ValueError):
    """The metadata at a committed offset is not ours, or not all there; going on could insert something twice."""


def planned(metadata: str) -> Plan | None:
    """The plan that was committed, if there is one. Raises PlanUnreadable."""
    if not metadata:
        return None
    found = _METADATA.fullmatch(metadata)
    numbers = [re.split("[:-]", one) for one in found[2].split(",")] if found else []
    ranges = tuple(Range(int(partition), int(first), int(last)) for partition, first, last in numbers)
    partitions = [one.partition for one in ranges]
    if not found or any(one.first > one.last for one in ranges) or partitions != sorted(set(partitions)):
        raise PlanUnreadable(f"offset metadata {metadata!r} was not written by this version")
    return Plan(ranges, int(found[1]))


def taken_over(committed: Mapping[int, tuple[int, str]]) -> Plan | None:
    """The plan that a new owner finds at the committed offsets (offset and metadata by partition), if there is one.

    Raises PlanUnreadable when it does not stand at the first offset of each of its ranges and nowhere else.
    """
    plans = {partition: planned(metadata) for partition, (_, metadata) in committed.items() if metadata}
    plan = next(iter(plans.values()), None)
    if plan is None:
        return None
    begins = {one.partition: one.first for one in plan.ranges}
    if any(other != plan for other in plans.values()) or begins != {p: committed[p][0] for p in plans}:
        raise PlanUnreadable(
            f"an insert of {plan.metadata()!r} is planned, and the committed offsets do not fit it: offsets of this group were "
            "moved by hand; move those of all partitions of the topic"
        )
    return plan


@dataclass(frozen=True, slots=True)
class Limits:
    """An insert is due with so many records, or so long (milliseconds) after the one before was planned."""

    records: int
    linger_ms: int


@dataclass(frozen=True, slots=True)
class Buffered:
    """What has been fetched and has no plan yet; `waited_ms` is how long ago the last insert was planned (milliseconds); `apart`
    are the last offsets by partition of a plan that was refused, whose rest is inserted apart and at once."""

    offsets: Offsets
    waited_ms: int
    apart: Mapping[int, int] | None = None


def next_plan(buffered: Buffered, rows_version: int, limits: Limits) -> Plan | None:
    """What to insert now, or None to wait for more."""
    held = {partition: offsets for partition, offsets in sorted(buffered.offsets.items()) if offsets}
    rest = _upto(held, buffered.apart or {})
    if rest:
        return _plan(_first(rest, limits.records), rows_version)
    records = sum(map(len, held.values()))
    if not records or (records < limits.records and buffered.waited_ms < limits.linger_ms):
        return None
    return _plan(_shares(held, records, limits.records), rows_version)


def _upto(held: Offsets, ends: Mapping[int, int]) -> dict[int, Sequence[int]]:
    cut = {
        partition: held[partition][: bisect_right(held[partition], end)]
        for partition, end in ends.items()
        if partition in held
    }
    return {partition: offsets for partition, offsets in sorted(cut.items()) if offsets}


def _first(held: Offsets, most: int) -> dict[int, Sequence[int]]:
    """Partition by partition, as the halves of a refused plan are cut."""
    chosen, left = {}, most
    for partition, offsets in held.items():
        if left > 0:
            chosen[partition] = offsets[:left]
            left -= len(chosen[partition])
    return chosen


def _shares(held: Offsets, records: int, most: int) -> dict[int, Sequence[int]]:
    """From each partition as much of `most` as it has of all that is held, so that none waits for the others."""
    if records <= most:
        return dict(held)
    shares = {partition: offsets[: len(offsets) * most // records] for partition, offsets in held.items()}
    return {partition: offsets for partition, offsets in shares.items() if offsets} or _first(held, most)


def _plan(chosen: Offsets, rows_version: int) -> Plan:
    return Plan(tuple(Range(partition, offsets[0], offsets[-1]) for partition, offsets in chosen.items()), rows_version)
