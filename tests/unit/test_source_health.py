"""Rules about sources, one by one: what is told, what is not, and how easily it is taken back."""

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from pipeline.health.drift import drifts
from pipeline.health.fields import FIELDS, shares
from pipeline.health.judge import (
    DRIFTING,
    FLOODING,
    NOTHING,
    REJECTING,
    SILENT,
    SLOW,
    Already,
    Bounds,
    Facts,
    Moment,
    judge,
    silent_at,
)
from pipeline.health.usual import HOUR_MS, WEEK_MS, HourCount, clusters, hour_of_week, usual
from tests.harness.source_hours import MONDAY, counted, poisson, steady

NOW = MONDAY + HOUR_MS
AGENT = 1 << FIELDS.index("agent")


def facts(rate: int = 600, weeks: int = 5, lately: int | None = None, last_ms: int = NOW - 1000) -> Facts:
    return Facts("pbx", last_ms, steady(rate, weeks), rate if lately is None else lately)


def told(found: Facts, now_ms: int = NOW, already: Already = NOTHING, *, behind: bool = False) -> list[str]:
    verdict = judge(found, Moment(now_ms, UTC, Bounds(), behind), already)
    return [finding.rule for finding in verdict.findings if not finding.unsure]


def test_a_source_as_usual_is_fine() -> None:
    verdict = judge(facts(), Moment(NOW, UTC))
    assert (verdict.state, verdict.findings) == ("fine", ())
    assert verdict.usual_rate == pytest.approx(600)


def test_a_new_source_is_never_judged_by_its_rate() -> None:
    for lately, last in ((0, NOW - 90 * HOUR_MS), (100_000, NOW)):
        verdict = judge(facts(weeks=1, lately=lately, last_ms=last), Moment(NOW, UTC))
        assert (verdict.state, verdict.findings, verdict.silent_at_ms) == ("new", (), None)


def test_a_small_source_is_not_slow() -> None:
    assert told(facts(rate=20, lately=0, last_ms=NOW - 60_000)) == []


def test_a_slow_source_is_told_and_stays_slow_for_a_while() -> None:
    assert told(facts(lately=200)) == [SLOW]
    assert told(facts(lately=350)) == []
    assert told(facts(lately=350), already={SLOW: NOW}) == [SLOW]
    assert told(facts(lately=400), already={SLOW: NOW}) == []


def test_a_flood_is_told_and_stays_one_for_a_while() -> None:
    assert told(facts(lately=2000)) == [FLOODING]
    assert told(facts(lately=1500)) == []
    assert told(facts(lately=1600), already={FLOODING: NOW}) == [FLOODING]
    assert told(facts(lately=1500), already={FLOODING: NOW}) == []


def test_a_flood_by_a_small_factor_ends_when_what_comes_is_usual() -> None:
    near = Moment(NOW, UTC, Bounds(flood_factor=1.2))
    assert [f.rule for f in judge(facts(rate=6000, lately=9000), near).findings] == [FLOODING]
    assert judge(facts(rate=6000, lately=6500), near, {FLOODING: NOW}).findings == ()


def test_a_shift_in_time_is_no_flood() -> None:
    hours = {at: HourCount(600, 60) for at in steady(1, 5) if hour_of_week(at, UTC) % 24 >= 8}
    assert told(Facts("pbx", NOW, hours | {MONDAY: HourCount(1, 1)}, 600), MONDAY + 4 * HOUR_MS) == []


def test_nights_and_weekends_are_no_silence() -> None:
    working = {
        at: HourCount(100, 50)
        for at in steady(1, 5)
        if hour_of_week(at, UTC) < 120 and 8 <= hour_of_week(at, UTC) % 24 < 17
    }
    friday = max(working) + HOUR_MS - 1
    monday_8 = MONDAY + 8 * HOUR_MS
    assert told(Facts("pbx", friday, working), monday_8) == []
    assert told(Facts("pbx", friday, working), monday_8 + HOUR_MS) == [SILENT]


def test_a_batch_at_any_hour_of_the_day_is_not_silent_between() -> None:
    hours = {}
    for day in range(35):
        at = MONDAY - (35 - day) * 24 * HOUR_MS + (day * 7 % 24) * HOUR_MS
        hours[at] = HourCount(10_000, 3)
    known = usual(hours, UTC)
    assert known is not None
    assert known.counts.level != "hour"
    last = max(hours)
    assert told(Facts("erp", last, hours), last + 30 * HOUR_MS) == []
    assert told(Facts("erp", last, hours), last + 24 * 14 * HOUR_MS) == [SILENT]


def test_while_the_path_is_behind_nobody_is_silent() -> None:
    late = facts(lately=0, last_ms=NOW - HOUR_MS)
    assert told(late) == [SILENT]
    assert told(late, behind=True) == []
    unsure = judge(late, Moment(NOW, UTC, behind=True)).findings
    assert {(f.rule, f.unsure) for f in unsure} == {(SILENT, True), (SLOW, True), (FLOODING, True)}


def test_a_long_silence_does_not_become_usual() -> None:
    stopped = facts(lately=0, last_ms=MONDAY)
    assert told(stopped, MONDAY + 7 * WEEK_MS) == [SILENT]


def test_a_silence_lasts_until_something_comes() -> None:
    """Also when what was usual has been forgotten over it: only the hours of eight weeks are known."""
    now = MONDAY + 7 * WEEK_MS
    known = {at: count for at, count in steady(600, 5).items() if at >= now - 8 * WEEK_MS}
    stopped = Facts("pbx", MONDAY, known)
    assert usual(known, UTC) is None
    raised = MONDAY + HOUR_MS
    assert told(stopped, now, {SILENT: raised}) == [SILENT]
    assert told(stopped, now) == []
    assert told(replace(stopped, last_ms=now - 1000, lately=1), now, {SILENT: raised}) == []
    assert told(stopped, now, {SILENT: raised}, behind=True) == []
    unsure = judge(replace(stopped, last_ms=None), Moment(now, UTC), {SILENT: raised}).findings
    assert (unsure[0].rule, unsure[0].unsure) == (SILENT, True)


def test_what_was_on_its_way_when_a_silence_was_told_ends_it() -> None:
    assert told(facts(last_ms=NOW - 1000), NOW, {SILENT: NOW - 500}) == []


def test_rejections_are_told_against_bound_and_past() -> None:
    this_hour = NOW // HOUR_MS * HOUR_MS
    bad = replace(facts(), hours={**facts().hours, this_hour: HourCount(80, 60)}, rejected={this_hour: 20})
    assert told(bad) == [REJECTING]
    assert told(replace(bad, rejected={this_hour: 2})) == []
    always = dict.fromkeys([at for at in facts().hours if at < MONDAY], 150) | {this_hour: 20}
    assert told(replace(bad, rejected=always)) == []
    few = Facts("pbx", None, {}, 0, {this_hour: 10})
    assert told(few) == []
    only = judge(replace(few, rejected={this_hour: 90}), Moment(NOW, UTC))
    assert [(f.rule, f.severity) for f in only.findings] == [(REJECTING, "critical")]


def test_a_field_that_is_no_longer_filled_drifts() -> None:
    before = {("call.ended", AGENT): 9_000, ("call.ended", 0): 1_000}
    found = drifts({("call.ended", AGENT): 100, ("call.ended", 0): 300}, before, 0.2)
    assert [(d.field, round(d.share, 2), round(d.expected, 2)) for d in found] == [("agent", 0.25, 0.9)]
    assert drifts({("call.ended", AGENT): 340, ("call.ended", 0): 60}, before, 0.2) == []
    assert drifts({("call.ended", 0): 100}, before, 0.2) == [], "a small sample"
    assert drifts({("call.ended", 0): 500}, {("call.ended", AGENT): 90}, 0.2) == [], "a past that is too small"
    assert told(replace(facts(), recent={("call.ended", 0): 400}, before=before)) == [DRIFTING]


def test_a_drift_stays_one_when_the_sample_shrinks_at_the_full_hour() -> None:
    """In 500 touchpoints 22 points are far out, in the 250 of the next hour's first minute they are not."""
    before = {("call.ended", AGENT): 5_000, ("call.ended", 0): 5_000}
    large = replace(facts(), before=before, recent={("call.ended", AGENT): 140, ("call.ended", 0): 360})
    small = replace(large, recent={("call.ended", AGENT): 70, ("call.ended", 0): 180})
    assert (told(large), told(small)) == ([DRIFTING], [])
    assert told(small, already={DRIFTING: NOW}) == [DRIFTING]
    over = replace(large, recent={("call.ended", AGENT): 110, ("call.ended", 0): 140})
    assert told(over, already={DRIFTING: NOW}) == []


def test_a_drift_is_not_over_because_little_comes() -> None:
    before = {("call.ended", AGENT): 9_000}
    few = replace(facts(), before=before, recent={("call.ended", 0): 199})
    assert judge(few, Moment(NOW, UTC)).findings == ()
    (finding,) = judge(few, Moment(NOW, UTC), {DRIFTING: NOW}).findings
    assert (finding.rule, finding.unsure) == (DRIFTING, True)


def test_another_mix_of_event_types_is_no_drift() -> None:
    before = {("call.ended", AGENT): 9_000, ("survey.answered", 0): 1_000}
    assert drifts({("call.ended", AGENT): 300, ("survey.answered", 0): 3_000}, before, 0.2) == []
    assert drifts({("call.ended", AGENT): 300, ("new.type", 0): 3_000}, before, 0.2) == []


def test_shares_are_of_all_touchpoints() -> None:
    assert shares({("a.b", AGENT): 1, ("c.d", 0): 3})["agent"] == 0.25
    assert shares({}) == {}


def test_hours_follow_the_time_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert hour_of_week(MONDAY, UTC) == 0
    assert hour_of_week(MONDAY, berlin) == 1
    assert hour_of_week(MONDAY - HOUR_MS, UTC) == 167


def test_clusters_of_an_hour() -> None:
    assert clusters(0) == 0
    assert clusters(2) == pytest.approx(2, abs=0.05)
    assert clusters(60) == pytest.approx(287.2, abs=0.1)


def test_one_odd_week_changes_nothing() -> None:
    hours = dict(steady(600, 5))
    odd = {at: HourCount(9_000, 60) for at in hours if MONDAY - 2 * WEEK_MS <= at < MONDAY - WEEK_MS}
    known = usual(hours | odd, UTC)
    assert known is not None
    assert set(known.counts.rates) == {600.0}


@pytest.mark.parametrize(("rate", "within_h"), [(0.05, 500.0), (1.0, 20.0), (60.0, 0.5), (1000.0, 0.1)])
def test_a_source_that_stops_is_found_in_the_stated_time(rate: float, within_h: float) -> None:
    times = poisson(rate, 5, seed=3)
    known = usual(counted(times), UTC)
    assert known is not None
    at = silent_at(times[-1], known, UTC)
    assert at is not None
    assert at - times[-1] <= within_h * HOUR_MS
    stopped = Facts("pbx", times[-1], counted(times))
    assert SILENT not in told(stopped, at - 1)
    assert SILENT in told(stopped, at)
