"""Clocks that are wrong: found out, corrected, and never so that one device's events change places."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from pipeline.codec import Decoder
from pipeline.flow import flow
from processors.clocks import IDLE_MS, SLOTS, Clocks
from processors.skew import SAME_MS, SPAN_MS, TOLERANCE_MS, VOTES, Clock, learned
from processors.store import Store
from tests.harness.touchpoints import (
    HOUR,
    NOW,
    REGISTRY,
    Record,
    raw,
    resolve_fold,
    resolved_log,
    rules,
    touchpoint,
    wire,
)

DEVICE = b"d"
AHEAD = -2 * HOUR


def through(samples: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], Clock | None]:
    """Each event's own time and its corrected one, in order of arrival; `samples` are own times and how far the clock is behind."""
    lives, clock = lives_of(samples)
    return [one for life in lives for one in life], clock


def lives_of(samples: list[tuple[int, int]]) -> tuple[list[list[tuple[int, int]]], Clock | None]:
    """The same, parted where the clock was right and nothing was known of it any more."""
    clock: Clock | None = None
    lives: list[list[tuple[int, int]]] = [[]]
    for number, (occurred_at, behind) in enumerate(samples):
        before = clock
        clock = learned(clock, DEVICE, occurred_at, behind, number * SPAN_MS // (VOTES - 1))
        lives[-1].append((occurred_at, before.corrected(occurred_at) if before else occurred_at))
        if clock is None:
            lives.append([])
    return lives, clock


TIMES = st.integers(NOW - 10 * HOUR, NOW + 10 * HOUR)
BEHIND = st.one_of(st.sampled_from([0, AHEAD, HOUR, 5 * HOUR]), st.integers(-3 * HOUR, 3 * HOUR))


@given(
    samples=st.lists(st.tuples(TIMES, BEHIND).flatmap(lambda s: st.integers(1, 7).map(lambda n: [s] * n)), max_size=30)
)
def test_two_events_of_a_device_never_change_places(samples: list[list[tuple[int, int]]]) -> None:
    """However they come, and however often the clock is set, once it was wrong."""
    lives, _ = lives_of([one for many in samples for one in many])
    for found in lives:
        assert [corrected for _, corrected in sorted(found)] == sorted(corrected for _, corrected in found)


@given(
    delays=st.lists(st.integers(0, SAME_MS), min_size=VOTES + 1, max_size=20),
    behind=st.sampled_from([AHEAD, HOUR, 300 * HOUR]),
)
def test_a_wrong_clock_is_found_out_and_its_times_are_right(delays: list[int], behind: int) -> None:
    """After a few samples, to within the shortest way; a clock that was ahead has first to be caught up with."""
    samples = [(NOW + n * 10_000, behind + delay) for n, delay in enumerate(delays)]
    found, clock = through(samples)
    assert clock is not None
    (part,) = clock.parts
    assert behind <= part.shift <= behind + max(delays)
    for told, corrected in found[:VOTES]:
        assert corrected == told
    for told, corrected in found[VOTES:]:
        assert corrected == max(told + part.shift, part.floor)


@given(delays=st.lists(st.integers(0, TOLERANCE_MS), max_size=30))
def test_a_right_clock_is_left_alone_and_takes_no_room(delays: list[int]) -> None:
    """Whatever the way costs within the tolerance."""
    found, clock = through([(NOW + n, delay) for n, delay in enumerate(delays)])
    assert clock is None
    assert all(told == corrected for told, corrected in found)


APART = st.integers(1, 1000).map(lambda n: n * 4 * SAME_MS)


@given(delays=st.lists(APART, min_size=1, max_size=30, unique=True))
def test_a_device_that_was_offline_is_not_taken_for_one_with_a_wrong_clock(delays: list[int]) -> None:
    """What was sent late says nothing twice."""
    found, _ = through([(NOW + n, delay) for n, delay in enumerate(delays)])
    assert all(told == corrected for told, corrected in found)


@given(steps=st.lists(st.integers(0, 600_000), min_size=1, max_size=200), speed=st.integers(20, 10_000))
def test_old_events_that_are_sent_in_one_go_stay_where_they_were(steps: list[int], speed: int) -> None:
    """However close together they happened."""
    clock, own = None, 0
    for step in steps:
        own += step
        arrived_at = 100 * HOUR + own // speed
        clock = learned(clock, DEVICE, own, arrived_at - own, arrived_at)
        assert clock is not None
        assert clock.parts == ()


def test_a_clock_that_was_set_right_is_believed_again() -> None:
    """And its device takes up room only as long as times before are corrected."""
    wrong = [(NOW + AHEAD * -1 + n, AHEAD) for n in range(VOTES + 1)]
    right = [(NOW + 4 * HOUR + n, 10) for n in range(VOTES + 1)]
    found, clock = through(wrong + right)
    assert clock is not None
    assert [part.shift for part in clock.parts] == [AHEAD, 0]
    assert found[-1][1] == found[-1][0]


STEP = SPAN_MS // (VOTES - 1)


def sent(n: int, *, device: str = "phone-1", behind: int = HOUR, **changes: Any) -> Record:
    """A touchpoint of a device, ten seconds after the one before."""
    at = NOW + n * 10_000
    identifiers = [{"namespace": "customer", "value": "c-1"}, {"namespace": "device", "value": device}]
    whole = {
        "event_id": f"{device}-{n}",
        "occurred_at": at,
        "sent_at": at,
        "received_at": at + behind,
        "identifiers": identifiers,
    }
    return touchpoint(**{**whole, **changes})


def test_the_stage_corrects_and_keeps_what_was_told() -> None:
    """A restart in the middle changes nothing, and the batch says the same."""
    log = [raw(wire(sent(n)), n, NOW + n * STEP) for n in range(12)]
    log += [raw(wire(sent(n, device="phone-2", behind=5)), 12 + n, NOW + (12 + n) * STEP) for n in range(6)]
    fold = resolve_fold()
    outs = fold.fold(log[:8])
    again = resolve_fold()
    for key, value in fold.changes():
        again.restore(key, value)
    again.restored()
    outs += again.fold(log[8:])
    expected = flow(log, rules()).touchpoints
    decoder = Decoder("resolved_touchpoint", REGISTRY)
    found = [decoder.decode(one.value) for one in resolved_log(outs)]
    assert found == expected
    reported = [one["reported_at"] for one in expected]
    assert reported == [None] * VOTES + [NOW + n * 10_000 for n in range(VOTES, 12)] + [None] * 6
    assert expected[VOTES]["occurred_at"] == NOW + VOTES * 10_000 + HOUR
    assert [one["person"] for one in expected] == [expected[0]["person"]] * len(expected)


ANY_TIME = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 2**63 - 1, -(2**63), NOW]))


@given(
    times=st.lists(
        st.tuples(st.integers(NOW - HOUR, NOW + HOUR), ANY_TIME, ANY_TIME, st.integers(0, 2**62)), max_size=12
    )
)
def test_no_time_that_can_be_written_stops_the_stage(times: list[tuple[int, Any, Any, int]]) -> None:
    """However far off: it is no clock then."""
    clocks = Clocks("cx.t", Store())
    for n, (occurred_at, sent_at, received_at, arrived_at) in enumerate(times):
        record = sent(n, occurred_at=occurred_at, sent_at=sent_at, received_at=received_at)
        found = clocks.corrected(record, arrived_at)
        assert -(2**63) <= found < 2**63


def test_made_up_devices_take_no_more_room_than_there_is() -> None:
    """And do not push out one that was there within the day."""
    store = Store()
    clocks = Clocks("cx.t", store)
    for n in range(VOTES + 1):
        clocks.corrected(sent(n), NOW + n * STEP)
    for n in range(3 * SLOTS):
        clocks.corrected(sent(0, device=f"made-up-{n}"), NOW)
    assert len(store) <= SLOTS + 1
    assert clocks.corrected(sent(99), NOW) == sent(99)["occurred_at"] + HOUR
    before = len(store)
    for n in range(SLOTS):
        clocks.corrected(sent(0, device=f"later-{n}"), NOW + IDLE_MS + VOTES * STEP)
    assert len(store) <= max(before, SLOTS + 1)
