"""The periods that numbers are asked for: how long each is, and how it is cut for a small line of its course."""

from dataclasses import dataclass
from typing import Final

POINTS: Final = 48
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Period:
    """One choice of the period selector; `length_ms` is None for all time."""

    name: str
    words: str
    length_ms: int | None


PERIODS: Final = {
    p.name: p
    for p in (
        Period("24h", "24 h", DAY_MS),
        Period("7d", "7 d", 7 * DAY_MS),
        Period("30d", "30 d", 30 * DAY_MS),
        Period("90d", "90 d", 90 * DAY_MS),
        Period("all", "all", None),
    )
}
DEFAULT: Final = "30d"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in `POINTS` equal parts, with the stretch of the same length before it.

    `start`, `end` (exclusive) and `before` in milliseconds since epoch, UTC; `before` equals `start` for all time, which has
    nothing before it.
    """

    before: int
    start: int
    end: int
    part_ms: int

    @property
    def first_part(self) -> int:
        """Number of the earliest part; parts from 0 on belong to the span, negative ones to the time before it."""
        return -POINTS if self.before < self.start else 0


def span(period: Period, now_ms: int, earliest_ms: int | None = None) -> Span:
    """The span of a period that ends with `now_ms`; all time begins at `earliest_ms`, or now when nothing is known."""
    end = now_ms + 1
    length = period.length_ms or max(end - (earliest_ms if earliest_ms is not None else now_ms), POINTS)
    part = -(-length // POINTS)
    start = end - part * POINTS
    return Span(start if period.length_ms is None else start - part * POINTS, start, end, part)
