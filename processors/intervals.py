"""95% intervals of satisfaction scores, from counts alone. Sources are named at each function."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z: Final = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Lower and upper end, in the unit of the score."""

    low: float
    high: float


def nps(promoters: int, detractors: int, n: int) -> Interval:
    """Adjusted-Wald interval of the Net Promoter Score, in points from -100 to 100; ValueError without answers.

    B. Rocks, "Interval Estimation for the Net Promoter Score", The American Statistician 70(4), 2016: three answers are
    added, of which three quarters are promoters and three quarters detractors, and Wald's interval is taken from there.
    """
    _needs_answers(n)
    high, low = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    centre = high - low
    half = Z * sqrt((high + low - centre**2) / (n + 3))
    return Interval(max(-100.0, 100 * (centre - half)), min(100.0, 100 * (centre + half)))


def wilson(hits: int, n: int) -> Interval:
    """Score interval of a share, in percent; ValueError without answers.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22(158), 1927.
    """
    _needs_answers(n)
    share = hits / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(100 * max(0.0, centre - half), 100 * min(1.0, centre + half))


def mean(n: int, total: int, squares: int) -> Interval | None:
    """Student's t interval of a mean, from n, the sum and the sum of squares; none with fewer than two answers."""
    if n < 2:
        return None
    average = total / n
    variance = max(0.0, (squares - total**2 / n) / (n - 1))
    half = student_t(n - 1) * sqrt(variance / n)
    return Interval(average - half, average + half)


def student_t(df: int) -> float:
    """Two-sided 95% point of Student's t with `df` degrees of freedom, right to 0.15%.

    Exact for one and two degrees; from three on the expansion 26.7.5 of Abramowitz and Stegun, "Handbook of Mathematical
    Functions", 1964.
    """
    if df < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    if df == 1:
        return 12.706204736
    if df == 2:
        return 4.302652730
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    return Z + sum(term / float(df) ** power for power, term in enumerate(terms, 1))


def difference(now: float, of_now: Interval, before: float, of_before: Interval) -> Interval:
    """Interval of the change between two independent samples, built from the interval of each (MOVER).

    R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
    1998, method 10; for other scores G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures",
    Statistics in Medicine 27, 2008. A change whose interval holds zero may be chance.
    """
    change = now - before
    return Interval(
        change - sqrt((now - of_now.low) ** 2 + (of_before.high - before) ** 2),
        change + sqrt((of_now.high - now) ** 2 + (before - of_before.low) ** 2),
    )


def _needs_answers(n: int) -> None:
    if n < 1:
        raise ValueError("an interval needs at least one answer")
