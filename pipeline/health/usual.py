"""What is usual for a source: how much it sends in each hour of the week, from its own past weeks. Pure.

Times are milliseconds since epoch, UTC; an hour of the week is counted in the installation's time zone, Monday 0:00 being 0.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from math import expm1, log
from statistics import median
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_HOURS: Final = 168
WEEK_MS: Final = WEEK_HOURS * HOUR_MS
WEEKS: Final = 4
"""How many weeks before a source's last event are looked at."""
LEAST_WEEKS: Final = 2
LEAST_EVENTS: Final = 20
MEDIAN_OF_CHI_SQUARE: Final = 0.4549364
"""Median of the chi-square distribution with one degree of freedom."""
_DENSE: Final = 5.0
_CARRIED: Final = 0.5


@dataclass(frozen=True, slots=True)
class HourCount:
    """What a source sent within an hour: touchpoints, and in how many of its 60 minutes there was one."""

    touchpoints: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A rate for each hour of the week, per hour; `level` says what it was told by: hour, day or week.

    `dispersion` is how much more than by chance the counts of one hour vary from week to week: 1 for a Poisson process.
    """

    rates: tuple[float, ...]
    level: str
    dispersion: float

    @property
    def weekly(self) -> float:
        """What a whole week brings."""
        return sum(self.rates)

    def expected(self, begin_ms: int, end_ms: int, zone: tzinfo) -> float:
        """What is usual between two moments."""
        return sum(
            self.rates[hour_of_week(at, zone)] * (min(end_ms, at + HOUR_MS) - max(begin_ms, at)) / HOUR_MS
            for at in range(begin_ms // HOUR_MS * HOUR_MS, end_ms, HOUR_MS)
        )


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for one source: `counts` of touchpoints, and `clusters` of them, from `weeks` whole weeks."""

    counts: Profile
    clusters: Profile
    weeks: int


@lru_cache(maxsize=8192)
def hour_of_week(at_ms: int, zone: tzinfo) -> int:
    """Which hour of the week a moment lies in."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    return local.weekday() * 24 + local.hour


def clusters(minutes: int) -> float:
    """How many independent groups of touchpoints an hour had of whose 60 minutes so many had one.

    Occupancy of cells by a Poisson process: a minute stays empty with probability exp(-rate), so the rate of an hour is
    -60 ln(share of empty minutes); with none empty half a minute is taken, which bounds it at 287. W. Feller, "An Introduction
    to Probability Theory and Its Applications", volume 1, 1968, chapter IV.2. A batch of ten thousand within two minutes counts
    as two.
    """
    return -60 * log(1 - min(minutes, 59.5) / 60)


def usual(hours: Mapping[int, HourCount], zone: tzinfo) -> Usual | None:
    """From counts by beginning of the hour; None while there are less than two whole weeks or too few touchpoints.

    Only what lies before the hour of the newest touchpoint is looked at, and at most four weeks of it, so that a long silence
    does not become the usual thing.
    """
    if not hours:
        return None
    end, first = max(hours), min(hours)
    weeks = min(WEEKS, (end - first) // WEEK_MS)
    begin = end - weeks * WEEK_MS
    if weeks < LEAST_WEEKS or sum(c.touchpoints for at, c in hours.items() if begin <= at < end) < LEAST_EVENTS:
        return None
    counts = {at: float(c.touchpoints) for at, c in hours.items()}
    groups = {at: clusters(c.minutes) for at, c in hours.items()}
    counted, grouped = (list(_slots(values, end, weeks, zone)) for values in (counts, groups))
    return Usual(profile(counted, weeks, _poisson), profile(grouped, weeks, _occupancy), weeks)


Slot = tuple[int, int, float]
"""Of an hour: its week, counted back from the last one; which hour of the week it is; and what it had."""


def profile(slots: list[Slot], weeks: int, variance: Callable[[float], float]) -> Profile:
    """The usual rates from whole weeks; `variance` is that of an hour's value by its mean, where there is nothing but chance.

    The rate of a cell is the median over the weeks, which one odd week cannot move. The finest cells are taken, hours of the
    week, then days of the week, then the week itself, whose medians carry at least half of the median week: of a source that
    sends now and then most hours have a median of zero. They are scaled to the median week, because the median of small counts
    lies below their mean.
    """
    weekly = median(sum(value for week, _, value in slots if week == number) for number in range(weeks))
    for level, size in (("hour", 1), ("day", 24), ("week", WEEK_HOURS)):
        cells = _cells(slots, weeks, size)
        medians = [median(cell) for cell in cells]
        carried = sum(medians)
        if 0 < carried >= _CARRIED * weekly or level == "week":
            scale = weekly / carried / size if carried else 0.0
            rates = tuple(medians[hour // size] * scale for hour in range(WEEK_HOURS))
            by_chance = [size * variance(usual / size) for usual in medians]
            return Profile(rates, level, _dispersion(cells, medians, by_chance))
    raise AssertionError("the week is the last resort")


def _poisson(mean: float) -> float:
    return mean


def _occupancy(mean: float) -> float:
    """Variance of `clusters`, by the delta method from the binomial number of empty minutes."""
    return 60 * expm1(mean / 60)


def _slots(values: Mapping[int, float], end_ms: int, weeks: int, zone: tzinfo) -> Iterator[Slot]:
    """Week (counted back from the end), hour of the week and value of every hour."""
    for number in range(weeks * WEEK_HOURS):
        at = end_ms - (number + 1) * HOUR_MS
        yield number // WEEK_HOURS, hour_of_week(at, zone), values.get(at, 0.0)


def _cells(slots: list[Slot], weeks: int, size: int) -> list[list[float]]:
    cells = [[0.0] * weeks for _ in range(WEEK_HOURS // size)]
    for week, hour, value in slots:
        cells[hour // size][week] += value
    return cells


def _dispersion(cells: list[list[float]], medians: list[float], by_chance: list[float]) -> float:
    """Index of dispersion, pooled over all cells with something in them and robust.

    Squares of Pearson's residuals have one degree of freedom each, so their median over that of the chi-square distribution is
    the factor by which the variance exceeds that of chance (the quasi-likelihood of P. McCullagh and J. A. Nelder, "Generalized
    Linear Models", 1989, section 4.5, with the median for the mean). Residuals from the median of so few weeks are too small by
    (weeks - 1) / weeks. Never below 1; and 1 where most cells have too little to tell, because the few others stand out by chance.
    """
    if 2 * sum(usual >= _DENSE for usual in medians) < sum(usual > 0 for usual in medians):
        return 1.0
    squares = [
        (value - usual) ** 2 / variance
        for cell, usual, variance in zip(cells, medians, by_chance, strict=True)
        if usual >= _DENSE
        for value in cell
    ]
    weeks = len(cells[0])
    return max(1.0, median(squares) / MEDIAN_OF_CHI_SQUARE * weeks / (weeks - 1)) if squares else 1.0
