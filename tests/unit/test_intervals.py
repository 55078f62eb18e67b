"""Intervals against published values and against exact arithmetic."""

from math import isclose

import pytest

from processors import intervals
from processors.intervals import Interval


@pytest.mark.parametrize(("n", "half"), [(10, 42), (100, 15), (1000, 4.8)])
def test_nps_of_half_promoters_and_a_fifth_detractors_has_the_published_width(n: int, half: float) -> None:
    found = intervals.nps(n // 2, n // 5, n)
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=0.5 if n < 1000 else 0.05)


def test_nps_interval_stays_within_the_scale() -> None:
    assert intervals.nps(3, 0, 3).high == 100
    assert intervals.nps(0, 3, 3).low == -100


@pytest.mark.parametrize(("hits", "n", "low", "high"), [(9, 10, 60, 98), (90, 100, 83, 94)])
def test_wilson_has_the_published_ends(hits: int, n: int, low: int, high: int) -> None:
    found = intervals.wilson(hits, n)
    assert (round(found.low), round(found.high)) == (low, high)


def test_wilson_never_leaves_zero_to_a_hundred() -> None:
    assert intervals.wilson(0, 5).low == 0
    assert intervals.wilson(5, 5).high == 100


@pytest.mark.parametrize(
    ("df", "published"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_student_t_has_the_tabled_values(df: int, published: float) -> None:
    assert intervals.student_t(df) == pytest.approx(published, rel=0.0015)


def test_mean_is_the_textbook_interval() -> None:
    values = [5, 6, 7, 4, 6, 7, 5, 6]
    found = intervals.mean(len(values), sum(values), sum(v * v for v in values))
    assert found is not None
    # mean 5.75, s 1.0351, t(7) 2.3646
    assert found.low == pytest.approx(4.885, abs=0.003)
    assert found.high == pytest.approx(6.615, abs=0.003)


def test_one_answer_has_no_interval_of_a_mean() -> None:
    assert intervals.mean(1, 5, 25) is None


@pytest.mark.parametrize("call", [lambda: intervals.nps(0, 0, 0), lambda: intervals.wilson(0, 0)])
def test_no_answers_have_no_interval(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="at least one answer"):
        call()


def test_difference_of_shares_is_newcombes_tenth_method() -> None:
    """56 of 70 against 48 of 80, his table II, contrast (a): 0.0524 to 0.3339."""
    a, b = intervals.wilson(56, 70), intervals.wilson(48, 80)
    found = intervals.difference(80.0, a, 60.0, b)
    assert isclose(found.low, 5.24, abs_tol=0.01)
    assert isclose(found.high, 33.39, abs_tol=0.01)


def test_equal_periods_differ_by_an_interval_around_zero() -> None:
    found = intervals.difference(10.0, Interval(8, 12), 10.0, Interval(8, 12))
    assert found.low == -found.high
