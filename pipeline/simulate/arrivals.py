"""When calls come in: the published shape of a large bank's call centre, and its unrest from day to day and minute to minute.

There 32,461 calls came on a mean day, 10.5 % of them from 10 to 11 h, and counts of five minutes varied 32 times as much as
independent calls would.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

BIN_MS: Final = 300_000
# Percent of a day's calls in each hour of local time. The published figures cover 7 to 21 h; the nights are few.
HOURS: Final = (
    *(0.4, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5),
    *(3.6, 6.8, 9.6, 10.5, 10.2, 9.2, 8.6, 8.3, 8.0, 7.2, 5.6, 4.1, 3.1, 2.2),
    *(0.4, 0.3, 0.2),
)
# Squared coefficients of variation of a day's and of a bin's level: what is left of the published unrest after the shape.
_DAY_UNREST: Final = 0.007
_BIN_UNREST: Final = 0.005
_MANY: Final = 50


def calls(start: int, per_day: float, seed: str, zone: str) -> Iterator[int]:
    """Times of calls from `start` on, for ever, in order; milliseconds since epoch, UTC.

    `per_day` is the mean of a day. What a five minutes holds depends on the seed and its time only, not on `start`.
    """
    first = start - start % BIN_MS
    while True:
        yield from (at for at in in_bin(first, per_day, seed, zone) if at >= start)
        first += BIN_MS


def in_bin(first: int, per_day: float, seed: str, zone: str) -> list[int]:
    """The calls of the five minutes from `first` on, in order."""
    local = datetime.fromtimestamp(first / 1000, tz=UTC).astimezone(ZoneInfo(zone))
    rng = Random(f"{seed}/{first}")
    level = _level(Random(f"{seed}/{local.date()}"), _DAY_UNREST) * _level(rng, _BIN_UNREST)
    mean = per_day * HOURS[local.hour] / sum(HOURS) / 12 * level
    return sorted(first + int(rng.random() * BIN_MS) for _ in range(_poisson(rng, mean)))


def _level(rng: Random, unrest: float) -> float:
    """A factor around 1 with that squared coefficient of variation."""
    return rng.gammavariate(1 / unrest, unrest)


def _poisson(rng: Random, mean: float) -> int:
    if mean > _MANY:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product = 0, rng.random()
    limit = math.exp(-mean)
    while product > limit:
        count += 1
        product *= rng.random()
    return count
