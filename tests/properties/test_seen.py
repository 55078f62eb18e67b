"""Deduplication against the plain way: every id ever seen, with the hour in which it was taken."""

import hypothesis.strategies as st
from hypothesis import given

from processors.dedupe import CHUNK_IDS, DIGEST_BYTES, ChunkName, Seen

HOUR = 3_600_000
HORIZON = 3
IDS = st.sampled_from([f"e-{n}" for n in range(6)])
ARRIVALS = st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=40)
Changelog = dict[ChunkName, bytes | None]


def taken_back(changelog: Changelog) -> Seen:
    """The state that a changelog gives, its records in reverse order."""
    seen = Seen(HORIZON)
    for chunk, ids in reversed(changelog.items()):
        seen.restore(chunk, ids)
    seen.restored()
    return seen


@given(ARRIVALS, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_an_id_is_known_for_the_horizon_and_no_longer(
    arrivals: list[tuple[str, int]], flushes: set[int], restarts: set[int]
) -> None:
    """Whenever the changelog is written, and whenever the state is taken back from it."""
    seen, hour = Seen(HORIZON), 100
    oracle: dict[str, int] = {}
    changelog: Changelog = {}
    for number, (event_id, later) in enumerate(arrivals):
        if number in flushes | restarts:
            changelog |= seen.changes()
        if number in restarts:
            seen = taken_back(changelog)
        hour += later
        new = event_id not in oracle or hour - oracle[event_id] > HORIZON
        if new:
            oracle[event_id] = hour
        assert seen.admit(event_id, hour * HOUR + number) is new
    assert len(seen) == sum(hour - taken <= HORIZON for taken in oracle.values())


@given(st.lists(st.tuples(IDS, st.integers(0, 12)), max_size=40), st.sets(st.integers(0, 40)))
def test_a_clock_that_jumps_back_breaks_nothing(arrivals: list[tuple[str, int]], flushes: set[int]) -> None:
    """No error, an id is known at once, and the changelog still gives all that is known."""
    seen, changelog = Seen(HORIZON), Changelog()
    for number, (event_id, hour) in enumerate(arrivals):
        seen.admit(event_id, hour * HOUR)
        assert not seen.admit(event_id, hour * HOUR)
        if number in flushes:
            changelog |= seen.changes()
    again = taken_back(changelog | seen.changes())
    assert len(again) == len(seen)
    last = max((hour for _, hour in arrivals), default=0)
    for number in range(6):
        assert again.admit(f"e-{number}", last * HOUR) is seen.admit(f"e-{number}", last * HOUR)


def test_a_clock_that_jumps_back_into_an_hour_of_many_chunks() -> None:
    """Expired and begun again between two writings of the changelog: what is gone is a tombstone."""
    seen = Seen(1)
    for number in range(2 * CHUNK_IDS):
        seen.admit(f"e-{number}", 0)
    seen.changes()
    seen.admit("later", 5 * HOUR)
    seen.admit("back again", 0)
    changes = seen.changes()
    assert changes[0, 1] is None
    assert len(changes[0, 0] or b"") == DIGEST_BYTES
    assert set(changes) == {(0, 0), (0, 1), (5, 0)}


def test_chunks_are_of_the_agreed_size() -> None:
    """A hundred thousand ids are some four hundred records, not a hundred thousand."""
    seen = Seen(24)
    for number in range(CHUNK_IDS * 3 + 1):
        assert seen.admit(str(number), 0)
    assert sorted(len(ids or b"") // DIGEST_BYTES for ids in seen.changes().values()) == [1, *[CHUNK_IDS] * 3]
    assert not seen.admit("7", 0)
    assert seen.changes() == {}


def test_an_id_taken_again_outlives_the_hour_of_its_first_time() -> None:
    """When that hour, in which a clock that went back had put it, expires."""
    seen = Seen(HORIZON)
    assert seen.admit("other", 10 * HOUR)
    assert seen.admit("e", 0)
    assert seen.admit("e", 8 * HOUR)
    assert seen.admit("another", 11 * HOUR)
    assert not seen.admit("e", 11 * HOUR)
