"""Journeys that are being added to right now, whatever times they lie in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.serve.clickhouse import Source

ENOUGH: Final = 300
CANDIDATES: Final = 60

SECONDS: Final = """
SELECT toUnixTimestamp(second) AS at, sum(touchpoints) FROM arrivals
WHERE second >= toDateTime((SELECT max(second) FROM arrivals), 'UTC') - INTERVAL 1 DAY
GROUP BY at ORDER BY at DESC LIMIT 300
"""
ARRIVED: Final = """
SELECT person, toUnixTimestamp64Milli(max(arrived_at)) AS newest,
    toUnixTimestamp64Milli(argMax(occurred_at, (arrived_at, occurred_at)))
FROM touchpoints WHERE arrived_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC')
GROUP BY person ORDER BY newest DESC, person LIMIT %(limit)s
"""
JOURNEYS: Final = """
SELECT person, journey_id, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), touchpoints, path
FROM journeys FINAL WHERE person IN %(persons)s ORDER BY person, started_at
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person's newest arrival: when it arrived, and when it happened."""

    person: str
    arrived_ms: int
    occurred_ms: int


@dataclass(frozen=True, slots=True)
class RecentJourney:
    """A journey, and when its person's newest touchpoint arrived."""

    person: str
    journey_id: str
    started_ms: int
    ended_ms: int
    touchpoints: int
    path: Sequence[str]
    arrived_ms: int = 0


async def recent(source: Source, limit: int) -> list[RecentJourney]:
    """The journeys that the newest arrivals belong to, newest arrival first, one for each person."""
    since = _since(await source.rows(SECONDS))
    if since is None:
        return []
    rows = await source.rows(ARRIVED, {"since": since * 1000, "limit": CANDIDATES})
    arrivals = [Arrival(*row) for row in rows]
    if not arrivals:
        return []
    found = await source.rows(JOURNEYS, {"persons": tuple(a.person for a in arrivals)})
    journeys = [RecentJourney(*row) for row in found]
    return chosen(arrivals, journeys)[:limit]


def chosen(arrivals: Sequence[Arrival], journeys: Iterable[RecentJourney]) -> list[RecentJourney]:
    """For each arrival the journey that holds it. One whose journey is not stored yet is left out until it is."""
    of_person: dict[str, list[RecentJourney]] = {}
    for journey in journeys:
        of_person.setdefault(journey.person, []).append(journey)
    held = (
        next((j for j in of_person.get(a.person, ()) if j.started_ms <= a.occurred_ms <= j.ended_ms), None)
        for a in arrivals
    )
    return [replace(j, arrived_ms=a.arrived_ms) for a, j in zip(arrivals, held, strict=True) if j]


def _since(seconds: Iterable[tuple[int, int]]) -> int | None:
    """The second from which on enough touchpoints have arrived; None when none has."""
    since, seen = None, 0
    for second, count in seconds:
        since, seen = second, seen + count
        if seen >= ENOUGH:
            break
    return since
