"""Sources of a steady rate raise nothing, whatever stops is found, order does not matter, and alerts live in one direction."""

from bisect import bisect
from datetime import UTC
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.health.alerts import Alert, Book, advance, alert_of, newest
from pipeline.health.judge import FALSE_SILENCES_A_WEEK, RULES, SILENT, Facts, Finding, Moment, judge, silent_at
from pipeline.health.usual import HOUR_MS, WEEK_MS, HourCount, usual
from pipeline.serve.read_sources import readings
from tests.harness.source_hours import MONDAY, counted, poisson

SEEDS = range(12)
MINUTE = 60_000


@pytest.mark.parametrize("rate", [0.1, 1.0, 10.0, 100.0])
def test_a_steady_source_raises_no_alarm(rate: float) -> None:
    """The bound is one false silence in 1,000 weeks; these weeks are the same in every run."""
    silences = alarms = 0
    for seed in SEEDS:
        times = poisson(rate, 5, seed)
        begin = MONDAY - WEEK_MS
        past = counted(at for at in times if at < begin) | {begin: HourCount(1, 1)}
        known = usual(past, UTC)
        if known is None:
            continue
        first = bisect(times, begin)
        for last, then in zip(times[first:], times[first + 1 :], strict=False):
            at = silent_at(last, known, UTC)
            silences += at is not None and at < then
        for hour in range(1, 168, 24):
            now = begin + hour * HOUR_MS
            lately = bisect(times, now) - bisect(times, now - HOUR_MS)
            alarms += len(judge(Facts("s", now, past, lately), Moment(now, UTC)).findings)
    assert FALSE_SILENCES_A_WEEK * len(SEEDS) < 0.1
    assert (silences, alarms) == (0, 0)


@settings(max_examples=12, deadline=None)
@given(st.floats(0.05, 300), st.integers(0, 1000))
def test_a_source_that_stops_is_found(rate: float, seed: int) -> None:
    """Within 60 usual touchpoints when no more than two weeks are known, or within a quarter of an hour where more come."""
    times = poisson(rate, 3, seed)
    known = usual(counted(times), UTC)
    if known is None:
        return
    found = silent_at(times[-1], known, UTC)
    assert found is not None
    rate = len(times) / 3 / 168
    assert (found - times[-1]) / HOUR_MS <= max(0.25, 60 / rate)
    stopped = Facts("s", times[-1], counted(times))
    assert SILENT in [f.rule for f in judge(stopped, Moment(found, UTC)).findings]
    assert SILENT not in [f.rule for f in judge(stopped, Moment(found - 1, UTC)).findings]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    chance = Random(seed)
    rows: dict[str, list[Any]] = {
        "hours": [
            (name, at // 1000, chance.randint(1, 99), chance.randint(1, 60), at + chance.randint(0, HOUR_MS - 1))
            for name in ("a", "b")
            for at in range(MONDAY - 3 * WEEK_MS, MONDAY, 7 * HOUR_MS)
        ],
        "rejected": [
            ("a", MONDAY // 1000 - 3600 * n, reason, n) for n in range(1, 9) for reason in ("magic", "decode")
        ],
        "mix": [("a", "call.ended", bits, bits * 40, bits * 9) for bits in range(1, 20)],
    }

    def verdicts() -> object:
        for each in rows.values():
            chance.shuffle(each)
        mix = rows["mix"]
        past = [row[:4] for row in mix]
        found = readings(rows["hours"], rows["rejected"], (past, mix, [], [("a", 5)]), MONDAY - 2 * HOUR_MS)
        return found, {name: judge(one.facts, Moment(MONDAY, UTC)) for name, one in found.items()}

    assert verdicts() == verdicts()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=200), st.integers(0, 200), st.integers(1, 40))
def test_alerts_live_in_one_direction(course: list[bool], restart: int, minutes: int) -> None:
    """Versions rise by one, open and closed follow each other, and a restart, whatever order it reads in, doubles nothing."""
    book, log = Book(), list[Alert]()
    for number, bad in enumerate(course):
        if number == restart:
            book = Book(newest(alert_of(a.record(), a.written_ms) for a in reversed(log)))
        findings = (Finding(SILENT, "critical", "silent"),) if bad else ()
        book, changed = advance(book, {"pbx": findings}, RULES, MONDAY + number * minutes * MINUTE)
        log += changed
    assert [alert.state for alert in log] == [("open", "resolved")[n % 2] for n in range(len(log))]
    assert len({(alert.alert_id, alert.version) for alert in log}) == len(log)
    by_id: dict[str, list[int]] = {}
    for alert in log:
        by_id.setdefault(alert.alert_id, []).append(alert.version)
    assert all(versions == list(range(1, len(versions) + 1)) for versions in by_id.values())
    assert {a.alert_id for a in book.open().values()} == {log[-1].alert_id for _ in log[-1:] if log[-1].state == "open"}
