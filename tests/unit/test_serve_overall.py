"""Scores over all persons: scales, rolling windows, changes."""

import random

import pytest

from pipeline.serve.overall import STANDARD, Answers, Scale, change, formula_of, readings, score
from pipeline.serve.periods import PERIODS, POINTS, Span, span

NPS = Scale("nps", 0, 10, "high_is_good")
CSAT = Scale("csat", 1, 5, "high_is_good")
CES = Scale("ces", 1, 7, "high_is_good")
NOW = 1_760_000_000_000


def of(metric: str) -> Span:
    return span(PERIODS[metric], NOW)


def test_nps_counts_promoters_passives_and_detractors() -> None:
    found = score(formula_of(NPS), {10: 3, 9: 2, 8: 1, 7: 2, 6: 1, 0: 1})
    assert (found.good, found.middle, found.bad, found.n) == (5, 3, 2, 10)
    assert found.value == pytest.approx(30)


def test_csat_is_the_share_of_the_two_best_answers() -> None:
    assert score(formula_of(CSAT), {5: 3, 4: 1, 3: 2, 1: 4}).value == pytest.approx(40)


def test_ces_is_the_mean() -> None:
    assert score(formula_of(CES), {7: 1, 4: 1}).value == pytest.approx(5.5)


def test_nothing_scores_nothing() -> None:
    empty = score(formula_of(NPS), {})
    assert empty.value is None
    assert empty.interval is None
    assert not empty.enough


def test_other_scales_and_directions_stand_apart_as_means() -> None:
    five = Scale("nps", 1, 5, "high_is_good")
    effort = Scale("ces", 1, 7, "low_is_good")
    rows = [Answers(NPS, 0, 10, 4), Answers(five, 0, 5, 3), Answers(effort, 0, 7, 2)]
    found = {r.scale: r for r in readings(rows, of("24h"))}
    assert list(found)[: len(STANDARD)] == list(STANDARD)
    assert found[NPS].now.n == 4
    assert found[five].formula.name == found[effort].formula.name == "mean/1"
    assert found[CES].now.n == 0
    assert found[effort].now.value == 7


def test_the_course_is_the_score_of_the_window_that_ends_there() -> None:
    r = random.Random(1)
    rows = [Answers(NPS, part, r.randint(0, 10), r.randint(0, 5)) for part in range(-POINTS, POINTS) for _ in range(2)]
    reading = readings(rows, of("7d"))[0]
    for end in range(POINTS):
        within = [row for row in rows if end - POINTS < row.part <= end]
        expected: dict[int, int] = {}
        for row in within:
            expected[row.value] = expected.get(row.value, 0) + row.given
        assert reading.course[end] == score(formula_of(NPS), expected)
    assert reading.now == reading.course[-1]
    assert reading.previous == score(
        formula_of(NPS),
        {v: sum(row.given for row in rows if row.part < 0 and row.value == v) for v in range(11)},
    )
    assert sum(reading.distribution.values()) == reading.now.n


def test_all_time_has_nothing_before_it() -> None:
    cut = span(PERIODS["all"], NOW, NOW - 1_000_000)
    reading = readings([Answers(CSAT, 3, 5, 40)], cut)[1]
    assert reading.previous is None
    assert reading.change is None
    assert reading.course[2].n == 0
    assert reading.now.n == 40


def test_a_change_is_outside_only_when_chance_is_ruled_out() -> None:
    before = score(formula_of(CSAT), {5: 500, 1: 500})
    assert change(score(formula_of(CSAT), {5: 620, 1: 380}), before) is not None
    clear = change(score(formula_of(CSAT), {5: 620, 1: 380}), before)
    slight = change(score(formula_of(CSAT), {5: 510, 1: 490}), before)
    assert clear is not None
    assert clear.outside
    assert slight is not None
    assert not slight.outside


def test_too_few_answers_are_never_outside() -> None:
    few = change(score(formula_of(NPS), {0: 29}), score(formula_of(NPS), {10: 900}))
    assert few is not None
    assert not few.outside


@pytest.mark.parametrize("name", list(PERIODS))
def test_spans_hold_now_and_have_whole_parts(name: str) -> None:
    cut = span(PERIODS[name], NOW, NOW - 123_456_789)
    assert cut.end == NOW + 1
    assert cut.start + POINTS * cut.part_ms == cut.end
    length = PERIODS[name].length_ms
    assert cut.before == (cut.start if length is None else cut.start - POINTS * cut.part_ms)
    if length is None:
        assert cut.start <= NOW - 123_456_789
    else:
        assert 0 <= cut.end - cut.start - length < POINTS


def test_all_time_of_nothing_is_a_moment() -> None:
    assert span(PERIODS["all"], NOW).part_ms == 1
