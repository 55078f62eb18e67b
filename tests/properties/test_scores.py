"""Scores against the plain way: all answers kept, local dates by the calendar, exact fractions."""

import math
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from processors import intervals, scores
from processors.scores import DAY_WINDOWS, Buckets, Reading, Scale, Tally

DAY = 86_400_000
SCALES = (
    Scale("nps", 0, 10, "high_is_good"),
    Scale("csat", 1, 5, "high_is_good"),
    Scale("csat", 1, 3, "high_is_good"),
    Scale("ces", 1, 7, "high_is_good"),
    Scale("ces", 1, 7, "low_is_good"),
    Scale("effort", -3, 3, "low_is_good"),
    Scale("helpful", 0, 1, "high_is_good"),
)
# Nights on which clocks were changed, or a whole day left out; none whose clocks went back over midnight (see below).
NIGHTS = {
    "UTC": ["2024-02-28"],
    "Europe/Berlin": ["2023-03-26", "2023-10-29"],
    "America/St_Johns": ["2023-03-12", "2023-11-05"],
    "Pacific/Apia": ["2011-12-30", "2012-04-01", "2020-09-27"],
    "Australia/Lord_Howe": ["2023-04-02", "2023-10-01"],
}


@dataclass(frozen=True)
class Answered:
    """One answer and when it was given, milliseconds since epoch, UTC."""

    value: int
    at: int


def in_window(answers: list[Answered], window: str, zone: ZoneInfo) -> list[Answered]:
    """Those of the last whole days, or of the last 24 hours of the clock, by the calendar."""
    now = _local(max(one.at for one in answers), zone)
    if window in DAY_WINDOWS:
        first = now.date() - timedelta(days=DAY_WINDOWS[window] - 1)
        return [one for one in answers if _local(one.at, zone).date() >= first]
    begin = now.replace(minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(hours=23)
    return [one for one in answers if _local(one.at, zone).replace(tzinfo=None) >= begin]


def _local(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)


def ends(scale: Scale) -> tuple[set[int], set[int]]:
    """The good and the bad points of a scale, written out."""
    written = {
        ("nps", 0, 10): ({9, 10}, {0, 1, 2, 3, 4, 5, 6}),
        ("csat", 1, 5): ({4, 5}, {1, 2}),
        ("csat", 1, 3): ({3}, {1}),
        ("ces", 1, 7): ({5, 6, 7}, {1, 2, 3}),
        ("effort", -3, 3): ({2, 3}, {-3, -2}),
        ("helpful", 0, 1): ({1}, {0}),
    }
    good, bad = written[scale.metric, scale.low, scale.high]
    return (good, bad) if scale.direction == "high_is_good" else (_turned(good, scale), _turned(bad, scale))


def _turned(points: set[int], scale: Scale) -> set[int]:
    return {scale.low + scale.high - point for point in points}


def exactly(answers: list[Answered], scale: Scale) -> Fraction | None:
    """The score by its definition."""
    if not answers:
        return None
    good, bad = ends(scale)
    values = [one.value for one in answers]
    promoters, detractors = sum(v in good for v in values), sum(v in bad for v in values)
    if scale.metric == "nps":
        return 100 * Fraction(promoters - detractors, len(values))
    if scale == Scale("csat", 1, 5, "high_is_good"):
        return 100 * Fraction(promoters, len(values))
    return Fraction(sum(values), len(values))


@st.composite
def surveys(draw: st.DrawFn) -> tuple[ZoneInfo, Scale, list[Answered]]:
    """Answers on one scale around a night on which the clocks were changed, up to 120 days before and 3 after."""
    name = draw(st.sampled_from(sorted(NIGHTS)))
    night = int(datetime.fromisoformat(draw(st.sampled_from(NIGHTS[name]))).replace(tzinfo=UTC).timestamp() * 1000)
    scale = draw(st.sampled_from(SCALES))
    near, far = st.integers(-2 * DAY, 3 * DAY), st.integers(-120 * DAY, 3 * DAY)
    whole_hours = st.integers(-50, 70).map(lambda hours: hours * 3_600_000)
    times = draw(st.lists(near | far | whole_hours, min_size=1, max_size=25))
    answers = [Answered(draw(st.integers(scale.low, scale.high)), night + at) for at in times]
    return ZoneInfo(name), scale, answers


def bucketed(answers: list[Answered], scale: Scale, zone: ZoneInfo) -> Buckets:
    """The buckets of answers given in this order."""
    buckets = Buckets()
    for one in answers:
        scores.add(buckets, scale, one.value, one.at, zone)
    return buckets


def tally(answers: list[Answered], scale: Scale) -> Tally:
    """The answers counted one by one."""
    good, bad = ends(scale)
    values = [one.value for one in answers]
    squares = sum(v * v for v in values)
    return Tally(len(values), sum(values), squares, sum(v in good for v in values), sum(v in bad for v in values))


@given(surveys())
def test_every_window_is_what_the_calendar_says(survey: tuple[ZoneInfo, Scale, list[Answered]]) -> None:
    """All windows, in zones that change their clocks by an hour, by half an hour and by a day."""
    zone, scale, answers = survey
    found = scores.windows(bucketed(answers, scale, zone), zone)
    for window, counted in found.items():
        inside = in_window(answers, window, zone)
        assert counted == tally(inside, scale), window
        reading = scores.read(scale, counted)
        exact = exactly(inside, scale)
        assert exact is None or (reading.value is not None and math.isclose(reading.value, exact, abs_tol=1e-9))
        _interval_is_sane(reading, scale)


def _interval_is_sane(reading: Reading, scale: Scale) -> None:
    if reading.value is None or reading.low is None or reading.high is None:
        assert reading == Reading(None, None, None)
        return
    least, most = {"nps/1": (-100, 100), "csat/1": (0, 100)}.get(scale.formula, (scale.low, scale.high))
    assert least <= reading.low <= reading.high <= most
    if scale.metric != "nps":
        # The adjusted interval of the net promoter score is drawn towards the middle and may leave out an extreme.
        assert reading.low - 1e-9 <= reading.value <= reading.high + 1e-9


@given(surveys(), st.randoms(use_true_random=False), st.integers(0, 25))
def test_order_and_grouping_do_not_matter(
    survey: tuple[ZoneInfo, Scale, list[Answered]], random: Any, cut: int
) -> None:
    """Shuffled answers give the same buckets, and two parts add up to the whole."""
    zone, scale, answers = survey
    whole = bucketed(answers, scale, zone)
    random.shuffle(answers)
    assert bucketed(answers, scale, zone) == whole
    parts = [bucketed(part, scale, zone) for part in (answers[:cut], answers[cut:]) if part]
    assert scores.union(parts, zone) == whole


@pytest.mark.parametrize(("age", "counts"), [(89, [2, 2, 2]), (90, [1, 1, 1]), (23, [2, 2, 2]), (24, [2, 2, 2])])
def test_buckets_reach_as_far_as_the_windows(age: int, counts: list[int]) -> None:
    """An answer of 90 days ago, counted in days of the calendar, is kept by nobody, whichever of the two came first."""
    scale, zone = SCALES[0], ZoneInfo("UTC")
    newest = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp() * 1000)
    answers = [Answered(9, newest), Answered(3, newest - age * DAY)]
    held = [bucketed(answers, scale, zone), bucketed(answers[::-1], scale, zone)]
    held.append(scores.union([bucketed([one], scale, zone) for one in answers], zone))
    assert [len(buckets.days) for buckets in held] == counts
    assert [len(buckets.hours) for buckets in held] == [1, 1, 1]
    assert [scores.windows(buckets, zone)["90d"].n for buckets in held] == counts


def test_an_answer_before_clocks_went_back_over_midnight_counts() -> None:
    """Until 2011 St. John's put its clocks back at one minute past midnight, into the day before."""
    zone = ZoneInfo("America/St_Johns")
    just_after_midnight = int(datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC).timestamp() * 1000)
    half_an_hour_later = just_after_midnight + 1_800_000
    scale = SCALES[0]
    answers = [Answered(9, just_after_midnight), Answered(3, half_an_hour_later)]
    assert _local(answers[0].at, zone).day == 7
    assert _local(answers[1].at, zone).day == 6
    counts = scores.windows(bucketed(answers, scale, zone), zone)
    assert {window: counted.n for window, counted in counts.items()} == {"24h": 2, "7d": 2, "30d": 2, "90d": 2}


def test_each_formula_takes_its_own_interval() -> None:
    """Half promoters, three tenths passives, two tenths detractors; nine of ten satisfied."""
    promoted = scores.read(SCALES[0], Tally(100, 0, 0, 50, 20))
    assert (promoted.value, promoted.low, promoted.high) == (30, *astuple(intervals.nps(50, 20, 100)))
    satisfied = scores.read(SCALES[1], Tally(10, 0, 0, 9, 1))
    assert (satisfied.value, satisfied.low, satisfied.high) == (90, *astuple(intervals.wilson(9, 10)))


def test_one_answer_says_nothing_about_a_mean() -> None:
    """Its interval is the whole scale."""
    scale = Scale("ces", 1, 7, "high_is_good")
    assert scores.read(scale, scores.counted(scale, 5)) == Reading(5.0, 1.0, 7.0)


@pytest.mark.parametrize("scale", SCALES, ids=lambda s: f"{s.metric}-{s.name}-{s.direction}")
def test_every_point_is_at_one_end_at_most(scale: Scale) -> None:
    """Best and worst point are at the right ends, and nothing is at both."""
    good, bad = ends(scale)
    for value in range(scale.low, scale.high + 1):
        counted = scores.counted(scale, value)
        assert (counted.high, counted.low) == (int(value in good), int(value in bad))
        assert counted.high + counted.low <= 1


@given(st.text(max_size=8), st.integers(-9, 9), st.integers(-9, 9), st.sampled_from(("high_is_good", "low_is_good")))
def test_a_scale_survives_being_a_key(metric: str, low: int, high: int, direction: str) -> None:
    """Whatever characters a source's own metric has."""
    scale = Scale(metric, low, high, direction)
    assert Scale.of_key(scale.key) == scale


@given(st.integers(-62_000_000_000_000, 250_000_000_000_000))
def test_hours_and_days_in_utc_need_no_calendar(at: int) -> None:
    assert scores.bucket_of(at, UTC) == scores.bucket_of(at, ZoneInfo("UTC"))
