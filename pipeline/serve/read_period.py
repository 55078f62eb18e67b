"""What the board and the API ask of ClickHouse about a period. Times are milliseconds since epoch, UTC."""

from dataclasses import dataclass
from typing import Final

from pipeline.serve.clickhouse import Source
from pipeline.serve.flow import SHOWN_STEPS, Path
from pipeline.serve.overall import Answers, Reading, Scale, readings
from pipeline.serve.periods import POINTS, Period, Span, span

ANSWERED: Final = """
SELECT toUnixTimestamp64Milli(min(occurred_at)), toUnixTimestamp64Milli(max(occurred_at)), count()
FROM answers WHERE actor_type = 'customer' AND occurred_at <= fromUnixTimestamp64Milli(toInt64(%(now)s), 'UTC')
"""
ANSWERS: Final = """
SELECT metric, scale_min, scale_max, direction,
    toInt32(floor((toUnixTimestamp64Milli(occurred_at) - %(start)s) / %(part)s)) AS part, value, count()
FROM answers FINAL
WHERE actor_type = 'customer' AND (%(metric)s = '' OR metric = %(metric)s)
    AND occurred_at >= fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')
    AND occurred_at < fromUnixTimestamp64Milli(toInt64(%(end)s), 'UTC')
GROUP BY metric, scale_min, scale_max, direction, part, value
"""
KNOWN: Final = """
SELECT count(), toUnixTimestamp64Milli(min(first_seen_at)), toUnixTimestamp64Milli(max(last_seen_at)) FROM customers FINAL
"""
ACTIVE: Final = """
SELECT uniqExactIf(person, ended_at >= fromUnixTimestamp64Milli(toInt64(%(start)s), 'UTC')),
    uniqExactIf(person, started_at < fromUnixTimestamp64Milli(toInt64(%(start)s), 'UTC'))
FROM sessions FINAL
WHERE ended_at >= fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')
    AND started_at < fromUnixTimestamp64Milli(toInt64(%(end)s), 'UTC')
"""
ACTIVE_BY_PART: Final = """
SELECT toInt32(floor((toUnixTimestamp64Milli(ended_at) - %(start)s) / %(part)s)) AS part, uniqExact(person)
FROM sessions FINAL
WHERE ended_at >= fromUnixTimestamp64Milli(toInt64(%(start)s), 'UTC')
    AND ended_at < fromUnixTimestamp64Milli(toInt64(%(end)s), 'UTC')
GROUP BY part
"""
PATHS: Final = """
SELECT arraySlice(path, 1, %(steps)s), toUInt8(length(path) > %(steps)s), toUInt8(length(path) >= %(kept)s),
    toUInt8(ended_at > fromUnixTimestamp64Milli(toInt64(%(open)s), 'UTC')), count()
FROM journeys FINAL
WHERE ended_at >= fromUnixTimestamp64Milli(toInt64(%(start)s), 'UTC')
    AND started_at < fromUnixTimestamp64Milli(toInt64(%(end)s), 'UTC')
GROUP BY 1, 2, 3, 4
"""
KEPT_STEPS: Final = 20
"""A journey's path holds its latest twenty sessions; of a longer one the first steps are not known."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores over a period, its span, and when the newest customer's answer was given (None without any)."""

    span: Span
    readings: list[Reading]
    newest_ms: int | None


@dataclass(frozen=True, slots=True)
class Persons:
    """Persons seen in the period and in the one before it (None for all time), by part, of all that are known."""

    span: Span
    active: int
    before: int | None
    known: int
    newest_ms: int | None
    course: tuple[int, ...]


async def scores(source: Source, period: Period, now_ms: int, metric: str = "") -> Scores:
    """Scores over all customers' answers of the period up to `now_ms`; of one metric only when it is named."""
    ((earliest, newest, count),) = await source.rows(ANSWERED, {"now": now_ms})
    cut = span(period, now_ms, earliest if count else None)
    bounds = {"before": cut.before, "start": cut.start, "end": cut.end, "part": cut.part_ms, "metric": metric}
    rows = await source.rows(ANSWERS, bounds)
    answers = (Answers(Scale(m, low, high, way), part, value, n) for m, low, high, way, part, value, n in rows)
    found = [r for r in readings(answers, cut) if not metric or r.scale.metric == metric]
    return Scores(cut, found, newest if count else None)


async def persons(source: Source, period: Period, now_ms: int) -> Persons:
    """How many persons were seen. A person counts once in a period, however many sessions it had."""
    ((known, earliest, newest),) = await source.rows(KNOWN)
    cut = span(period, now_ms, earliest if known else None)
    bounds = {"before": cut.before, "start": cut.start, "end": cut.end, "part": cut.part_ms}
    ((active, before),) = await source.rows(ACTIVE, bounds)
    by_part: dict[int, int] = dict(await source.rows(ACTIVE_BY_PART, bounds))
    return Persons(
        cut,
        active,
        None if period.length_ms is None else before,
        known,
        newest if known else None,
        tuple(by_part.get(part, 0) for part in range(POINTS)),
    )


async def paths(source: Source, period: Period, now_ms: int, gap_ms: int) -> list[Path]:
    """Paths of the journeys of a period; one whose last touchpoint is younger than the journey gap is still open."""
    ((known, earliest, _),) = await source.rows(KNOWN)
    cut = span(period, now_ms, earliest if known else None)
    bounds = {"start": cut.start, "end": cut.end, "open": now_ms - gap_ms, "steps": SHOWN_STEPS, "kept": KEPT_STEPS}
    rows = await source.rows(PATHS, bounds)
    return [
        Path(tuple(steps), bool(more), bool(cut_off), bool(is_open), n) for steps, more, cut_off, is_open, n in rows
    ]
