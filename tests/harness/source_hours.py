"""Sources of a known rate for tests of their health: hours as the tables would count them."""

import random
from collections.abc import Iterable

from pipeline.health.usual import HOUR_MS, WEEK_MS, HourCount

# A Monday, 0:00 UTC.
MONDAY = 1_700_438_400_000


def poisson(rate: float, weeks: int, seed: int, until_ms: int = MONDAY) -> list[int]:
    """When the touchpoints of a Poisson process of so many an hour arrived in the weeks before `until_ms`."""
    chance, at, found = random.Random(seed), float(until_ms - weeks * WEEK_MS), []
    while (at := at + chance.expovariate(rate) * HOUR_MS) < until_ms:
        found.append(int(at))
    return found


def counted(times: Iterable[int]) -> dict[int, HourCount]:
    """The same by hour."""
    minutes: dict[int, list[int]] = {}
    for at in times:
        minutes.setdefault(at // HOUR_MS * HOUR_MS, []).append(at // 60_000)
    return {hour: HourCount(len(found), len(set(found))) for hour, found in minutes.items()}


def steady(rate: int, weeks: int, until_ms: int = MONDAY) -> dict[int, HourCount]:
    """The same number in every hour of the weeks before `until_ms`, and one touchpoint at the end."""
    hours = range(until_ms - weeks * WEEK_MS, until_ms, HOUR_MS)
    return {at: HourCount(rate, min(rate, 60)) for at in hours} | {until_ms: HourCount(1, 1)}
