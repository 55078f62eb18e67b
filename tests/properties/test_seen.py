"""Deduplication against the plain way: every id ever seen, with the hour in which it was taken."""

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import given

from processors.dedupe import CHUNK_IDS, DIGEST_BYTES, Seen
from processors.store import Limits, Position, Store
from tests.harness.shelves import MemoryShelf

HOUR = 3_600_000
HORIZON = 3
IDS = st.sampled_from([f"e-{n}" for n in range(6)])
ARRIVALS = st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=40)
MOMENTS = st.sets(st.integers(0, 40))
Changelog = dict[bytes, bytes | None]


@dataclass
class Partition:
    """An installation's view of one topic: what is seen, its changelog, and what of it is saved."""

    limits: Limits = field(default_factory=lambda: Limits(1, 0, 1))
    shelf: MemoryShelf | None = None
    log: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    seen: Seen = field(init=False)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start, from what is saved and the rest of the changelog."""
        self.store = Store(self.shelf, self.limits)
        position = self.store.begin("log")
        self.seen = Seen(HORIZON, "t", self.store)
        for key, value in self.log[position.changelog if position else 0 :]:
            _, hour, index = key.split(b"\0")
            self.seen.restore(int(hour), int(index), value)
        self.seen.restored()
        self.store.restored(Position(len(self.log), {}, 0))

    def commit(self) -> None:
        """One transaction."""
        self.seen.flush()
        self.log += self.store.changes()
        self.store.committed(Position(len(self.log), {}, 0))


def partitions() -> list[Partition]:
    """In memory; everything saved at once and nothing held; and saved seldom."""
    return [
        Partition(),
        Partition(shelf=MemoryShelf()),
        Partition(Limits(3000, 1_000_000, 2000), MemoryShelf()),
    ]


@given(ARRIVALS, MOMENTS, MOMENTS)
def test_an_id_is_known_for_the_horizon_and_no_longer(
    arrivals: list[tuple[str, int]], flushes: set[int], restarts: set[int]
) -> None:
    """Whenever the changelog is written, whenever the state is taken back, and wherever it is kept."""
    for partition in partitions():
        hour = newest = 100
        oracle: dict[str, int] = {}
        for number, (event_id, later) in enumerate(arrivals):
            if number in flushes | restarts:
                partition.commit()
            if number in restarts:
                partition.begin()
            hour += later
            new = event_id not in oracle or hour - oracle[event_id] > HORIZON
            if new:
                oracle[event_id] = newest = hour
            assert partition.seen.admit(event_id, hour * HOUR + number) is new
        assert len(partition.seen) == sum(newest - taken <= HORIZON for taken in oracle.values())


@given(st.lists(st.tuples(IDS, st.integers(0, 12)), max_size=40), MOMENTS, MOMENTS)
def test_a_clock_that_jumps_back_breaks_nothing(
    arrivals: list[tuple[str, int]], flushes: set[int], restarts: set[int]
) -> None:
    """No error, an id is known at once, and one that was restarted answers as the one that was not."""
    never = Seen(HORIZON)
    for partition in partitions():
        never = Seen(HORIZON)
        for number, (event_id, hour) in enumerate(arrivals):
            if number in flushes | restarts:
                partition.commit()
            if number in restarts:
                partition.begin()
            assert partition.seen.admit(event_id, hour * HOUR) is never.admit(event_id, hour * HOUR)
            assert not partition.seen.admit(event_id, hour * HOUR)
            assert len(partition.seen) == len(never)


@given(st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=30), st.data())
def test_what_is_read_again_does_no_harm(arrivals: list[tuple[str, int]], data: st.DataObject) -> None:
    """A saved state that knows more than the place from which the changelog is read: the same as read once."""
    partition, hour = Partition(shelf=MemoryShelf()), 100
    for event_id, later in arrivals:
        hour += later
        partition.seen.admit(event_id, hour * HOUR)
        partition.commit()
    begin = data.draw(st.integers(0, len(partition.log)))
    for key, value in partition.log[begin:]:
        _, at, index = key.split(b"\0")
        partition.seen.restore(int(at), int(index), value)
    partition.seen.restored()
    fresh = Partition(log=partition.log)
    assert len(partition.seen) == len(fresh.seen)
    for number in range(6):
        assert partition.seen.admit(f"e-{number}", hour * HOUR) is fresh.seen.admit(f"e-{number}", hour * HOUR)


def test_an_hour_of_many_chunks_goes_with_its_index() -> None:
    """A few chunks at a time, each as a tombstone, until nothing of it is left."""
    partition = Partition(shelf=MemoryShelf())
    for number in range(6 * CHUNK_IDS):
        assert partition.seen.admit(f"e-{number}", 0)
    partition.commit()
    for number in range(3 * CHUNK_IDS):
        assert partition.seen.admit(f"later-{number}", (HORIZON + 1) * HOUR)
    partition.commit()
    gone = [key for key, value in partition.log if value is None]
    assert sorted(gone) == sorted(b"t\0" + b"0\0%d" % index for index in range(6))
    assert partition.shelf is not None
    index = [key for key in partition.shelf.held if key.startswith(b"\0i")]
    assert len(index) == len(partition.seen) == 3 * CHUNK_IDS


def test_an_id_that_comes_again_while_its_hour_is_being_forgotten() -> None:
    """It is new, and stays known when the rest of the hour goes."""
    partition = Partition(shelf=MemoryShelf())
    for number in range(9 * CHUNK_IDS):
        partition.seen.admit(f"e-{number}", 0)
    partition.commit()
    assert partition.seen.admit("e-7", (HORIZON + 1) * HOUR)
    partition.commit()
    partition.begin()
    for number in range(CHUNK_IDS):
        partition.seen.admit(f"later-{number}", (HORIZON + 1) * HOUR)
    assert not partition.seen.admit("e-7", (HORIZON + 1) * HOUR)
    assert not partition.seen.admit("e-7", (2 * HORIZON + 1) * HOUR)


def test_chunks_are_of_the_agreed_size() -> None:
    """A hundred thousand ids are some four hundred records, not a hundred thousand."""
    partition = Partition()
    for number in range(CHUNK_IDS * 3 + 1):
        assert partition.seen.admit(str(number), 0)
    partition.commit()
    assert sorted(len(ids or b"") // DIGEST_BYTES for _, ids in partition.log) == [1, *[CHUNK_IDS] * 3]
    assert not partition.seen.admit("7", 0)
    partition.commit()
    assert len(partition.log) == 4


def test_a_broker_whose_clock_is_years_ahead() -> None:
    """Its record is taken, and what was seen before it is forgotten."""
    seen = Seen(24)
    assert seen.admit("e", 0)
    assert seen.admit("f", (1 << 63) - 1)
    assert seen.admit("e", 0)
    assert not seen.admit("e", 0)
