"""One round over all sources: read, judge, and what becomes of the alerts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pipeline.config import Settings
from pipeline.health.alerts import Alert, Book, advance
from pipeline.health.judge import NOTHING, RULES, Already, Bounds, Moment, Verdict, judge
from pipeline.health.unreadable import UNREADABLE, unreadable
from pipeline.serve.clickhouse import Source
from pipeline.serve.read_sources import SourceReader, SourceReading
from pipeline.serve.read_unreadable import read_unreadable
from pipeline.topics import SOURCES

FRESH_MS = 60_000
"""While what arrived within the last minute is stored, records that wait hide no source."""

Waiting = Callable[[], Awaitable[int | None]]
"""How many records have arrived and are not stored yet; None when nobody can tell."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found: the verdicts by source, the book after it, and the alerts that are to be written."""

    verdicts: dict[str, Verdict]
    book: Book
    changed: list[Alert]


def bounds_of(settings: Settings) -> Bounds:
    """The bounds that the settings name."""
    return Bounds(
        settings.health_slow_share,
        settings.health_flood_factor,
        settings.health_rejected_share,
        settings.health_drift_share,
    )


def verdicts(readings: dict[str, SourceReading], moment: Moment, opened: Mapping[str, Already]) -> dict[str, Verdict]:
    """The verdict on each source; `opened` is what is open, by source."""
    return {name: judge(one.facts, moment, opened.get(name, NOTHING)) for name, one in readings.items()}


def opened(book: Book) -> dict[str, dict[str, int]]:
    """Rules with an open alert and when it was raised, by subject."""
    found: dict[str, dict[str, int]] = {}
    for (rule, subject), alert in book.open().items():
        found.setdefault(subject, {})[rule] = alert.raised_ms
    return found


def is_behind(waiting: int | None, readings: dict[str, SourceReading], now_ms: int) -> bool:
    """Whether what is missing may only be waiting: records wait, or nobody knows, and nothing of the last minute is stored."""
    newest = max((one.facts.last_ms or 0 for one in readings.values()), default=0)
    return waiting != 0 and now_ms - newest > FRESH_MS


async def judged(reader: SourceReader, waiting: Waiting, settings: Settings, book: Book, now_ms: int) -> Round:
    """One round at `now_ms`, milliseconds since epoch, UTC. Raises Unavailable, QueryFailed."""
    # First what waits, then what is stored: the other way round, what came in between would look like silence.
    left = await waiting()
    readings = await reader.read(now_ms)
    moment = Moment(now_ms, ZoneInfo(settings.timezone), bounds_of(settings), is_behind(left, readings, now_ms))
    # Not in the loop, which keeps the process in its group: a thousand sources take seconds.
    found = await asyncio.to_thread(verdicts, readings, moment, opened(book))
    after, changed = advance(book, {name: verdict.findings for name, verdict in found.items()}, RULES, now_ms)
    return Round(found, after, changed)


async def judged_topics(source: Source, settings: Settings, before: Round, now_ms: int) -> Round:
    """The same round, with what cannot be read on the topics of touchpoints. Raises Unavailable, QueryFailed."""
    counts = await read_unreadable(source, settings.topic_prefix, now_ms)
    standing = [subject for rule, subject in before.book.open() if rule == UNREADABLE]
    found = unreadable(counts, SOURCES, settings.breaker_run, standing)
    after, changed = advance(before.book, found, (UNREADABLE,), now_ms)
    return Round(before.verdicts, after, [*before.changed, *changed])
