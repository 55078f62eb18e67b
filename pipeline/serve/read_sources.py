"""What each source has sent, for its health: a few small tables by hour of arrival, never the touchpoints themselves.

What lies hours and weeks back is read every quarter of an hour, what changes each time. Times are milliseconds since epoch, UTC,
unless they say seconds.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.health.fields import Mix
from pipeline.health.judge import Facts
from pipeline.health.usual import DAY_MS, HOUR_MS, WEEKS, HourCount
from pipeline.serve.clickhouse import Parameters, Row, Source

REMEMBERED_MS: Final = 56 * DAY_MS
"""A source that has sent nothing for so long is no source any more."""
MOST_SOURCES: Final = 1000
"""Sources beyond so many, those heard of longest ago, are left out, already by the queries: a name may be anything."""
MOST_MIXES: Final = 1000
"""Of a source so many pairs of event type and filled fields are read, the commonest ones."""
WINDOW_S: Final = 3600
PAST_KEPT_MS: Final = 15 * 60_000

_SPAN: Final = "hour >= toDateTime(%(since)s, 'UTC') AND hour < toDateTime(%(until)s, 'UTC')"


def _latest(table: str, newest: str) -> str:
    return (
        f"{_SPAN} AND source IN"
        f" (SELECT source FROM {table} WHERE {_SPAN} GROUP BY source ORDER BY max({newest}) DESC, source LIMIT %(most)s)"
    )


_COUNTED: Final = f"""
SELECT hour, source, event_type, filled, groupBitmapMerge(offsets) AS counted, groupBitmapMergeState(minutes) AS within,
    max(last_at) AS newest
FROM source_hours WHERE {_latest("source_hours", "last_at")}
GROUP BY hour, source, event_type, filled, _topic, _partition
"""
_COMMONEST: Final = "ORDER BY touchpoints DESC, event_type, filled LIMIT %(pairs)s BY source"
HOURS: Final = f"""
SELECT source, toUnixTimestamp(hour) AS began, sum(counted), groupBitmapMerge(within), toUnixTimestamp64Milli(max(newest))
FROM ({_COUNTED}) GROUP BY source, hour
"""
MIX: Final = f"""
SELECT source, event_type, filled, sum(counted) AS touchpoints FROM ({_COUNTED}) GROUP BY source, event_type, filled {_COMMONEST}
"""
# The latest ones: those of the fewest whole hours that have enough of a source's, and of the hours from `late` on anyhow.
MIXES: Final = f"""
SELECT source, event_type, filled, sum(counted) AS touchpoints,
    sumIf(counted, upto - of_hour < %(enough)s OR hour >= toDateTime(%(late)s, 'UTC'))
FROM
(
    SELECT hour, source, event_type, filled, counted, sum(counted) OVER (PARTITION BY source, hour) AS of_hour,
        sum(counted) OVER (PARTITION BY source ORDER BY hour DESC) AS upto
    FROM ({_COUNTED})
)
GROUP BY source, event_type, filled {_COMMONEST}
"""
REJECTED: Final = f"""
SELECT source, toUnixTimestamp(hour) AS began, reason, sum(counted) FROM
(
    SELECT hour, source, reason, groupBitmapMerge(offsets) AS counted FROM rejected_hours
    WHERE {_latest("rejected_hours", "hour")}
    GROUP BY hour, source, reason, _topic, _partition
)
GROUP BY source, began, reason
"""
LATELY: Final = """
SELECT source, sum(touchpoints) AS arrived FROM arrivals
WHERE second >= toDateTime(%(since)s, 'UTC') AND second < toDateTime(%(until)s, 'UTC') GROUP BY source
ORDER BY arrived DESC, source LIMIT 10 * %(most)s
"""
DELAYS: Final = f"""
SELECT source, count(), quantilesExactWeighted(0.05, 0.5, 0.95, 0.99)(one.2, weight), countIf(one.3 IS NOT NULL),
    quantilesExactWeightedIf(0.05, 0.5, 0.95)(assumeNotNull(one.3), weight, one.3 IS NOT NULL)
FROM
(
    SELECT source, arrayJoin(kept) AS one, toUInt64(greatest(1, intDiv(counted, length(kept)))) AS weight
    FROM
    (
        SELECT source, arrayDistinct(groupArraySortedMerge(16)(sample)) AS kept, groupBitmapMerge(offsets) AS counted
        FROM source_hours WHERE {_latest("source_hours", "last_at")}
        GROUP BY hour, source, event_type, filled, _topic, _partition
    )
)
GROUP BY source
"""


@dataclass(frozen=True, slots=True)
class Delays:
    """Of a sample of a source's touchpoints of the last day, each for as many as it stands for, in milliseconds.

    `lateness` from occurred_at to arrived_at: 5%, median, 95%, 99%. `clock` from sent_at to received_at (arrived_at where the
    intake was not passed): 5%, median, 95%, of the `clocked` ones that have both; below zero the source's clock is ahead.
    """

    sampled: int
    lateness: tuple[int, ...]
    clocked: int
    clock: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SourceReading:
    """All that is known of one source: the facts that are judged, what the last day brought, its delays, and why its records were
    rejected lately."""

    facts: Facts
    day: Mix = field(default_factory=dict)
    delays: Delays | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Past:
    """What was read at `read_ms` for the weeks before `until_ms`, the beginning of an hour."""

    read_ms: int
    until_ms: int
    hours: list[Row]
    rejected: list[Row]
    mix: list[Row]


class SourceReader:
    """Reads all sources; keeps the past for a quarter of an hour: what comes in late is seen after that."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._past: _Past | None = None

    async def read(self, now_ms: int) -> dict[str, SourceReading]:
        """Every source that was heard of within eight weeks, the latest first. Raises Unavailable, QueryFailed."""
        hour = now_ms // HOUR_MS * HOUR_MS
        # What is inserted around the full hour may arrive a little after it, so the hour before is read again each time.
        until = hour - HOUR_MS
        past = self._past
        if past is None or past.until_ms != until or not 0 <= now_ms - past.read_ms < PAST_KEPT_MS:
            past = self._past = await self._read_past(until, now_ms)
        rows = self._rows
        span = {"since": until // 1000, "until": (now_ms + DAY_MS) // 1000}
        hours = await rows(HOURS, span)
        rejected = await rows(REJECTED, span)
        day = {"since": (hour - DAY_MS) // 1000, "until": span["until"], "late": until // 1000}
        mixes = await rows(MIXES, {**day, "enough": ENOUGH})
        delays = await rows(DELAYS, day)
        end_s = -(-now_ms // 1000)
        lately = await rows(LATELY, {"since": end_s - WINDOW_S, "until": end_s})
        others = (past.mix, mixes, delays, lately)
        return await asyncio.to_thread(
            readings, [*past.hours, *hours], [*past.rejected, *rejected], others, until, MOST_SOURCES
        )

    async def _rows(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        return await self._source.rows(sql, {**parameters, "most": MOST_SOURCES, "pairs": MOST_MIXES})

    async def _read_past(self, until_ms: int, now_ms: int) -> _Past:
        rows = self._rows
        span = {"since": (until_ms - REMEMBERED_MS) // 1000, "until": until_ms // 1000}
        day_ago = (until_ms + HOUR_MS - DAY_MS) // 1000
        weeks = {"since": day_ago - WEEKS * 7 * 86_400, "until": day_ago}
        return _Past(
            now_ms,
            until_ms,
            list(await rows(HOURS, span)),
            list(await rows(REJECTED, span)),
            list(await rows(MIX, weeks)),
        )


ENOUGH: Final = 200
"""So many touchpoints stand for the present: those of the latest hours that have them together, of the last day at most."""


def readings(
    hours: Iterable[Row],
    rejected: Iterable[Row],
    others: tuple[Iterable[Row], ...],
    since_ms: int,
    most: int = MOST_SOURCES,
) -> dict[str, SourceReading]:
    """Rows put together by source. `others`: mix of the past, mixes of the last day and of the latest touchpoints, delays,
    touchpoints of the last hour."""
    counted: dict[str, dict[int, HourCount]] = {}
    newest: dict[str, int] = {}
    for name, began, touchpoints, minutes, last_ms in hours:
        counted.setdefault(name, {})[began * 1000] = HourCount(touchpoints, minutes)
        newest[name] = max(last_ms, newest.get(name, 0))
    refused: dict[str, dict[int, int]] = {}
    reasons: dict[str, dict[str, int]] = {}
    for name, began, reason, n in rejected:
        of_source = refused.setdefault(name, {})
        of_source[began * 1000] = of_source.get(began * 1000, 0) + n
        if began * 1000 >= since_ms:
            reasons.setdefault(name, {})[reason] = reasons.get(name, {}).get(reason, 0) + n
    refused.pop("", None)
    past, day, delayed, arrived = others
    before = _mixes(past)
    whole = _mixes((name, kind, bits, n) for name, kind, bits, n, _ in day)
    late = _mixes((name, kind, bits, n) for name, kind, bits, _, n in day)
    delays = {name: Delays(n, tuple(lateness), m, tuple(clock) if m else ()) for name, n, lateness, m, clock in delayed}
    lately: dict[str, int] = dict(arrived)

    def reading(name: str) -> SourceReading:
        facts = Facts(
            name,
            newest.get(name),
            counted.get(name, {}),
            lately.get(name, 0),
            refused.get(name, {}),
            late.get(name, {}),
            before.get(name, {}),
        )
        return SourceReading(facts, whole.get(name, {}), delays.get(name), reasons.get(name, {}))

    last = {name: newest.get(name, max(refused.get(name, {}), default=0)) for name in {*counted, *refused}}
    return {name: reading(name) for name in sorted(last, key=lambda name: (-last[name], name))[:most]}


def _mixes(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[tuple[str, int], int]]:
    found: dict[str, dict[tuple[str, int], int]] = {}
    for name, kind, bits, n in rows:
        if n:
            found.setdefault(name, {})[kind, bits] = n
    return found
