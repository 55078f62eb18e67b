"""Rolling satisfaction scores from integer buckets. Adding is commutative: order, batches and late answers change nothing.

Windows end at the newest answer and are whole buckets: 24 hours of the clock for 24h, calendar days for the others.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

import msgspec

from processors import intervals
from processors.intervals import Interval
from processors.policies import HOUR

EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
DAY_WINDOWS: Final = {"7d": 7, "30d": 30, "90d": 90}
HOUR_WINDOWS: Final = {"24h": 24}
WINDOWS: Final = (*HOUR_WINDOWS, *DAY_WINDOWS)


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Answers counted exactly: how many, their sum, the sum of their squares, how many at the good and at the bad end."""

    n: int = 0
    sum: int = 0
    sum_of_squares: int = 0
    high: int = 0
    low: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.n + other.n,
            self.sum + other.sum,
            self.sum_of_squares + other.sum_of_squares,
            self.high + other.high,
            self.low + other.low,
        )


class Scale(msgspec.Struct, frozen=True, array_like=True):
    """What was asked, on which scale. Answers on different scales are never added."""

    metric: str
    low: int
    high: int
    direction: str

    @property
    def name(self) -> str:
        """As `0-10`."""
        return f"{self.low}-{self.high}"

    @property
    def formula(self) -> str:
        """Name and version of the formula that reads the score."""
        return f"{self.metric}/1" if self in STANDARD else "mean/1"

    @property
    def key(self) -> str:
        """One text for a dictionary."""
        return f"{self.metric}|{self.low}|{self.high}|{self.direction}"

    @staticmethod
    @lru_cache(256)
    def of_key(key: str) -> "Scale":
        """The scale of a key."""
        metric, low, high, direction = key.rsplit("|", 3)
        return Scale(metric, int(low), int(high), direction)


# Scales on which a metric's own formula is defined; on any other the score is the mean, and is called that.
STANDARD: Final = frozenset(
    {Scale("nps", 0, 10, "high_is_good"), Scale("csat", 1, 5, "high_is_good"), Scale("ces", 1, 7, "high_is_good")}
)


class Buckets(msgspec.Struct, array_like=True, gc=False):
    """The answers on one scale: the newest, how many ever, and tallies by local hour and day as far back as a window reaches."""

    newest: int = -1
    count: int = 0
    hours: dict[int, Tally] = msgspec.field(default_factory=dict)
    days: dict[int, Tally] = msgspec.field(default_factory=dict)


def counted(scale: Scale, value: int) -> Tally:
    """One answer as a tally.

    NPS: promoters 9-10, detractors 0-6 (Reichheld 2003). CSAT: satisfied is the top two of five. CES 2.0: easy is 5-7 of seven,
    hard 1-3. On other lengths of a scale the same shares of it count; where low is good, the scale is turned round first.
    """
    points = value if scale.direction == "high_is_good" else scale.low + scale.high - value
    good, bad = _ends(scale)
    return Tally(1, value, value * value, int(points >= good), int(points <= bad))


@lru_cache(256)
def _ends(scale: Scale) -> tuple[int, int]:
    span = scale.high - scale.low
    if scale.metric == "nps":
        return scale.low + math.ceil(span * 0.9), scale.low + math.floor(span * 0.6)
    if scale.metric == "ces" and span == 6:
        return scale.low + 4, scale.low + 2
    if span <= 2:
        return scale.high, scale.low
    return scale.high - max(1, span // 4), scale.low + max(1, span // 4)


def bucket_of(at: int, zone: tzinfo) -> tuple[int, int]:
    """The local hour and the local day (both counted from 1970) in which a time lies; `at` in milliseconds since epoch, UTC."""
    if zone is UTC:  # the usual one, and many times faster without the calendar
        hour = at // HOUR
        return hour, hour // 24
    local = datetime.fromtimestamp(at // 1000, zone)
    day = local.toordinal() - EPOCH_DAY
    return day * 24 + local.hour, day


def add(buckets: Buckets, scale: Scale, value: int, at: int, zone: tzinfo) -> None:
    """Count one answer, in place; buckets that no window can reach any more are dropped."""
    hour, day = bucket_of(at, zone)
    buckets.count += 1
    if at > buckets.newest:
        buckets.newest = at
        _forget(buckets, hour, day)
    newest_hour, newest_day = bucket_of(buckets.newest, zone)
    one = counted(scale, value)
    if newest_hour - hour < max(HOUR_WINDOWS.values()):
        buckets.hours[hour] = buckets.hours.get(hour, Tally()).plus(one)
    if newest_day - day < max(DAY_WINDOWS.values()):
        buckets.days[day] = buckets.days.get(day, Tally()).plus(one)


def _forget(buckets: Buckets, hour: int, day: int) -> None:
    for held, newest, reach in (
        (buckets.hours, hour, max(HOUR_WINDOWS.values())),
        (buckets.days, day, max(DAY_WINDOWS.values())),
    ):
        for old in [b for b in held if newest - b >= reach]:
            del held[old]


def union(parts: list[Buckets], zone: tzinfo) -> Buckets:
    """The buckets of all answers of several; the parts stay as they are."""
    whole = Buckets(max(part.newest for part in parts), sum(part.count for part in parts))
    for part in parts:
        for mine, theirs in ((whole.hours, part.hours), (whole.days, part.days)):
            for bucket, tally in theirs.items():
                mine[bucket] = mine.get(bucket, Tally()).plus(tally)
    _forget(whole, *bucket_of(whole.newest, zone))
    return whole


def windows(buckets: Buckets, zone: tzinfo) -> dict[str, Tally]:
    """The tally of every window that ends at the newest answer.

    There is no upper end to check: where clocks are put back over midnight, an older answer can lie in a later bucket.
    """
    hour, day = bucket_of(buckets.newest, zone)
    found = {}
    for name, reach in HOUR_WINDOWS.items():
        found[name] = total(t for b, t in buckets.hours.items() if b > hour - reach)
    for name, reach in DAY_WINDOWS.items():
        found[name] = total(t for b, t in buckets.days.items() if b > day - reach)
    return found


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole = whole.plus(tally)
    return whole


class Reading(msgspec.Struct, frozen=True):
    """A score and its 95% interval, all None without answers."""

    value: float | None
    low: float | None
    high: float | None


def read(scale: Scale, tally: Tally) -> Reading:
    """The score by the scale's formula, with its interval.

    nps/1: share of promoters less share of detractors, -100 to 100 (Reichheld 2003). csat/1: share of the top two, in percent.
    ces/1 and mean/1: the mean of the values. Intervals: `processors.intervals`, cut to the scale.
    """
    n = tally.n
    if n == 0:
        return Reading(None, None, None)
    if scale.formula == "nps/1":
        return _reading(100 * (tally.high - tally.low) / n, intervals.nps(tally.high, tally.low, n))
    if scale.formula == "csat/1":
        return _reading(100 * tally.high / n, intervals.wilson(tally.high, n))
    found = intervals.mean(n, tally.sum, tally.sum_of_squares) or Interval(scale.low, scale.high)
    cut = Interval(max(float(scale.low), found.low), min(float(scale.high), found.high))
    return _reading(tally.sum / n, cut)


def _reading(value: float, interval: Interval) -> Reading:
    return Reading(value, interval.low, interval.high)
