"""Scores over all persons, from counts of answers: value, interval, change, and the course of both."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.serve.periods import POINTS, Span
from processors import intervals
from processors.intervals import Interval

ENOUGH: Final = 30
"""Answers below which a score is shown in grey: its interval is too wide to act on."""


class Scale(NamedTuple):
    """What makes answers comparable; answers of different scales are never put together."""

    metric: str
    low: int
    high: int
    direction: str


class Answers(NamedTuple):
    """How many answers of one value were given in one part of the span (see `periods.Span`)."""

    scale: Scale
    part: int
    value: int
    given: int


@dataclass(frozen=True, slots=True)
class Formula:
    """How a scale is scored. `good` and `bad` are the values at its ends, with the words for those who gave them."""

    name: str
    method: str
    good: range
    bad: range
    words: tuple[str, str, str]


STANDARD: Final = {
    Scale("nps", 0, 10, "high_is_good"): Formula(
        "nps/1", "adjusted Wald", range(9, 11), range(7), ("promoters", "passives", "detractors")
    ),
    Scale("csat", 1, 5, "high_is_good"): Formula(
        "csat/1", "Wilson", range(4, 6), range(1, 3), ("satisfied", "neutral", "dissatisfied")
    ),
    Scale("ces", 1, 7, "high_is_good"): Formula(
        "ces/1", "Student t", range(5, 8), range(1, 4), ("easy", "neutral", "hard")
    ),
}
MEAN: Final = Formula("mean/1", "Student t", range(0), range(0), ("high", "middle", "low"))


@dataclass(frozen=True, slots=True)
class Score:
    """One score: its value and 95% interval in the unit of its formula, and the answers it stands on."""

    n: int
    value: float | None
    interval: Interval | None
    good: int
    middle: int
    bad: int

    @property
    def enough(self) -> bool:
        """Whether there are enough answers to act on it."""
        return self.n >= ENOUGH


@dataclass(frozen=True, slots=True)
class Change:
    """Change against the previous period and its interval; `outside` says whether chance is ruled out at 95%."""

    value: float
    interval: Interval | None
    outside: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A scale's score over the span, the one before it, and `course`: the score of every part's rolling window."""

    scale: Scale
    formula: Formula
    now: Score
    previous: Score | None
    change: Change | None
    distribution: Mapping[int, int]
    course: tuple[Score, ...]


def formula_of(scale: Scale) -> Formula:
    """The standard formula of a scale, or the plain mean."""
    return STANDARD.get(scale, MEAN)


def score(formula: Formula, values: Mapping[int, int]) -> Score:
    """Score a distribution, value -> count."""
    n = sum(values.values())
    good = sum(count for value, count in values.items() if value in formula.good)
    bad = sum(count for value, count in values.items() if value in formula.bad)
    if n == 0:
        return Score(0, None, None, 0, 0, 0)
    value, interval = _value(formula, values, n, (good, bad))
    return Score(n, value, interval, good, n - good - bad, bad)


def _value(formula: Formula, values: Mapping[int, int], n: int, ends: tuple[int, int]) -> tuple[float, Interval | None]:
    good, bad = ends
    if formula.name == "nps/1":
        return 100 * (good - bad) / n, intervals.nps(good, bad, n)
    if formula.name == "csat/1":
        return 100 * good / n, intervals.wilson(good, n)
    total = sum(value * count for value, count in values.items())
    squares = sum(value**2 * count for value, count in values.items())
    return total / n, intervals.mean(n, total, squares)


def change(now: Score, before: Score) -> Change | None:
    """What changed between two periods; none when either is empty. Too few answers never count as outside."""
    if now.value is None or before.value is None:
        return None
    value = now.value - before.value
    if now.interval is None or before.interval is None:
        return Change(value, None, False)
    interval = intervals.difference(now.value, now.interval, before.value, before.interval)
    beyond = interval.low > 0 or interval.high < 0
    return Change(value, interval, beyond and now.enough and before.enough)


def readings(rows: Iterable[Answers], span: Span) -> list[Reading]:
    """A reading of every scale among the answers, the standard ones always and first."""
    by_scale: dict[Scale, dict[int, Counter[int]]] = {scale: {} for scale in STANDARD}
    for scale, part, value, count in rows:
        by_scale.setdefault(scale, {}).setdefault(part, Counter())[value] += count
    others = sorted(scale for scale in by_scale if scale not in STANDARD)
    return [_reading(scale, by_scale[scale], span) for scale in (*STANDARD, *others)]


def _reading(scale: Scale, parts: Mapping[int, Counter[int]], span: Span) -> Reading:
    formula = formula_of(scale)
    rolling: Counter[int] = Counter()
    for part in range(span.first_part, 0):
        rolling.update(parts.get(part, {}))
    has_before = span.first_part < 0
    previous = score(formula, rolling) if has_before else None
    course = []
    for part in range(POINTS):
        rolling.update(parts.get(part, {}))
        if has_before:
            rolling.subtract(parts.get(part - POINTS, {}))
        course.append(score(formula, rolling))
    now = course[-1]
    return Reading(
        scale,
        formula,
        now,
        previous,
        change(now, previous) if previous else None,
        {value: count for value, count in sorted(rolling.items()) if count},
        tuple(course),
    )
