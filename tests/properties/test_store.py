"""The store against a dict, and its shelf against what was committed: whatever is held in memory, saved, or killed in between."""

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from processors.changelog import unfit
from processors.store import HEADER, Header, Limits, Position, ShelfUnusable, Store
from tests.harness.shelves import MemoryShelf

KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
VALUES = st.binary(max_size=200)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, VALUES),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("local"), KEYS, st.none() | VALUES),
        st.tuples(st.just("tell")),
        st.tuples(st.just("commit")),
        st.tuples(st.just("save")),
        st.tuples(st.just("restart")),
    ),
    max_size=60,
)
LIMITS = st.builds(
    Limits,
    unsaved=st.sampled_from([0, 300, 1500, 1 << 20]),
    every_ms=st.sampled_from([0, 3, 10**9]),
    held=st.sampled_from([0, 400, 1500, 1 << 20]),
)
State = dict[bytes, bytes]


@dataclass
class Watched(MemoryShelf):
    """Checks after every write that what a kill would leave behind is the state as of the commit that it names."""

    committed: dict[int, State] = field(default_factory=dict)

    def write(self, changes: Any) -> None:
        super().write(changes)
        header = msgspec.msgpack.decode(self.held[HEADER], type=Header)
        state = self.committed[header.position.changelog]
        assert {key: value for key, value in self.held.items() if key != HEADER} == state
        assert header.count == sum(not key.startswith(b"\0") for key in state)


@dataclass
class World:
    """A store, its changelog of committed transactions, and what a dict says of both."""

    limits: Limits
    saved: bool
    now: State = field(default_factory=dict)
    told: list[tuple[list[tuple[bytes, bytes | None]], State]] = field(default_factory=list)
    log: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=lambda: {0: {}})
    clock: int = 0

    def __post_init__(self) -> None:
        self.shelf = Watched(committed=self.states) if self.saved else None
        self.start()

    def start(self) -> None:
        """From the shelf and the rest of the log; what was not committed never was."""
        self.now, self.told = dict(self.states[len(self.log)]), []
        self.store = Store(self.shelf, self.limits)
        position = self.store.begin("log")
        for key, value in self.log[position.changelog if position else 0 :]:
            if key.startswith(b"\0"):
                self.store.restore_local(key, value)
            else:
                self.store.restore(key, value)
        self.store.restored(Position(len(self.log), {}, self.clock))

    def step(self, name: str, *arguments: Any) -> None:
        """One thing happens."""
        self.clock += 1
        getattr(self, name)(*arguments)

    def put(self, key: bytes, value: bytes) -> None:
        self.store.put(key, value)
        self.now[key] = value

    def delete(self, key: bytes) -> None:
        self.store.delete(key)
        self.now.pop(key, None)

    def local(self, key: bytes, value: bytes | None) -> None:
        key = b"\0" + key
        self.store.put_local(key, value)
        if value is None:
            self.now.pop(key, None)
        else:
            self.now[key] = value

    def tell(self) -> None:
        before = self.told[-1][1] if self.told else self.states[len(self.log)]
        locals_ = [(k, self.now.get(k)) for k in before.keys() | self.now.keys() if k.startswith(b"\0")]
        self.told.append((self.store.changes() + locals_, dict(self.now)))

    def commit(self) -> None:
        if self.told:
            changes, state = self.told.pop(0)
            self.log += changes or [(b"never", None)]
            self.states[len(self.log)] = state
            self.store.committed(Position(len(self.log), {}, self.clock))

    def save(self) -> None:
        self.store.save(self.clock)

    def restart(self) -> None:
        self.start()

    def check(self) -> None:
        """The store says what the dict says."""
        for key in (b"a", b"b", b"c", b"d", b"e"):
            assert self.store.get(key) == self.now.get(key)
            assert self.store.get(b"\0" + key) == self.now.get(b"\0" + key)
        assert len(self.store) == sum(not key.startswith(b"\0") for key in self.now)


@given(STEPS, LIMITS, st.booleans())
def test_it_is_a_dict_and_only_what_is_committed_is_saved(steps: list[Any], limits: Limits, saved: bool) -> None:
    """Transactions are told ahead of earlier ones' commits; a restart takes them back. `Watched` looks at every write."""
    world = World(limits, saved)
    for name, *arguments in steps:
        world.step(name, *arguments)
        world.check()


@given(STEPS, LIMITS)
def test_what_is_held_is_bounded(steps: list[Any], limits: Limits) -> None:
    """After a save with nothing under way, no more than the limit."""
    world = World(limits, True)
    for name, *arguments in [*steps, ("tell",), *[("commit",)] * 60, ("save",)]:
        world.step(name, *arguments)
    assert world.store.bytes_held <= max(limits.held, 0)


def test_a_tail_that_begins_too_early_does_no_harm() -> None:
    """A process that died while it restored has saved more than the header's position says."""
    world = World(Limits(0, 10**9, 0), True)
    for number in range(20):
        world.step("put", b"abcde"[number % 5 : number % 5 + 1], b"%d" % number)
        if number % 7 == 3:
            world.step("delete", b"c")
        world.step("tell")
        world.step("commit")
    assert world.shelf is not None
    again = Store(MemoryShelf(dict(world.shelf.held)), world.limits)
    again.begin("log")
    for key, value in world.log[5:]:
        again.restore(key, value)
    assert {key: again.get(key) for key in world.now} == world.now
    assert len(again) == len(world.now)


def test_what_belongs_to_another_log_is_refused() -> None:
    """Or has another layout, or no header at all."""
    shelf = MemoryShelf()
    store = Store(shelf)
    assert store.begin("cluster/topic/0") is None
    store.restored(Position(7, {"t": 3}, 1))
    assert Store(shelf).begin("cluster/topic/0") == Position(7, {"t": 3}, 1)
    with pytest.raises(ShelfUnusable, match="another cluster"):
        Store(shelf).begin("cluster/other/0")
    header = msgspec.msgpack.decode(shelf.held[HEADER], type=Header)
    shelf.held[HEADER] = msgspec.msgpack.encode(msgspec.structs.replace(header, layout=99))
    with pytest.raises(ShelfUnusable, match="layout 99"):
        Store(shelf).begin("cluster/topic/0")
    shelf.held[HEADER] = b"?"
    with pytest.raises(ShelfUnusable, match="header"):
        Store(shelf).begin("cluster/topic/0")


def test_what_one_cannot_go_on_from() -> None:
    """Positions outside the log, and any that is so old that the log has forgotten what was deleted since."""
    position = Position(50, {}, 1000)
    assert unfit(position, (0, 50), 1000, 100) is None
    assert unfit(position, (50, 60), 1099, 100) is None
    assert "beyond the end" in str(unfit(position, (0, 49), 1000, 100))
    assert "before the changelog begins" in str(unfit(position, (51, 60), 1000, 100))
    assert "tombstones" in str(unfit(position, (0, 60), 1100, 100))
