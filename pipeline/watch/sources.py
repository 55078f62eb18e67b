"""One round over all sources: read, judge, and what becomes of the alerts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pipeline.config import Settings
from pipeline.health.alerts import Alert, Book, advance
from pipeline.health.judge import RULES, Bounds, Moment, Verdict, judge
from pipeline.serve.read_sources import SourceReader, SourceReading

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


def verdicts(
    readings: dict[str, SourceReading], moment: Moment, opened: dict[str, frozenset[str]]
) -> dict[str, Verdict]:
    """The verdict on each source; `opened` are the rules that have an open alert, by source."""
    return {name: judge(one.facts, moment, opened.get(name, frozenset())) for name, one in readings.items()}


def opened(book: Book) -> dict[str, frozenset[str]]:
    """Rules with an open alert, by subject."""
    found: dict[str, set[str]] = {}
    for rule, subject in book.open():
        found.setdefault(subject, set()).add(rule)
    return {subject: frozenset(rules) for subject, rules in found.items()}


async def judged(reader: SourceReader, waiting: Waiting, settings: Settings, book: Book, now_ms: int) -> Round:
    """One round at `now_ms`, milliseconds since epoch, UTC. Raises Unavailable, QueryFailed."""
    # First what waits, then what is stored: the other way round, what came in between would look like silence.
    left = await waiting()
    readings = await reader.read(now_ms)
    newest = max((one.facts.last_ms or 0 for one in readings.values()), default=0)
    behind = left != 0 and now_ms - newest > FRESH_MS
    moment = Moment(now_ms, ZoneInfo(settings.timezone), bounds_of(settings), behind)
    found = verdicts(readings, moment, opened(book))
    after, changed = advance(book, {name: verdict.findings for name, verdict in found.items()}, RULES, now_ms)
    return Round(found, after, changed)
