"""The argument of `sinks.ranges`, checked by walking through every order of events that a small log allows.

The sink may crash between any two of its steps, records arrive in any portions, offsets have holes where transactions ended, and
the limits and the version of the rows may change at a restart. An insert may reach the database long after the sink has given it
up. The database is a set of tokens with the offsets that came under each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.ranges import Buffered, Limits, Range, next_range, planned

LINGER_MS = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """What a restart may change."""

    records: int
    rows_version: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A running sink: what it has fetched, up to where, its plan, and whether that is committed and inserted already."""

    settings: Settings
    position: int
    buffer: tuple[int, ...] = ()
    plan: Range | None = None
    due: Range | None = None
    inserted: bool = False


Inserted = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class World:
    """Kafka's log (which offsets hold records, and how far it goes), the committed offset, the database and the sink."""

    log: tuple[bool, ...]
    end: int = 0
    committed: int = 0
    metadata: str = ""
    stored: frozenset[Inserted] = frozenset()
    on_its_way: Inserted | None = None
    sink: Sink | None = None

    def check(self) -> None:
        """Nothing twice, and nothing that was passed over."""
        offsets = [offset for _, offsets in self.stored for offset in offsets]
        assert len(offsets) == len(set(offsets)), f"stored twice: {self}"
        lost = {o for o in range(self.committed) if self.log[o]} - set(offsets)
        assert not lost, f"lost: {lost} in {self}"

    def finished(self) -> bool:
        """Everything has arrived and is stored."""
        return self.end == len(self.log) and self.committed > max(
            (o for o, held in enumerate(self.log) if held), default=-1
        )


def steps(world: World, restarts: Sequence[Settings]) -> Iterator[World]:
    """Every world that can come next."""
    if world.end < len(world.log):
        yield replace(world, end=world.end + 1)
    if world.on_its_way is not None:
        yield replace(world, stored=_with(world.stored, world.on_its_way), on_its_way=None)
    sink = world.sink
    if sink is None:
        for settings in restarts:
            yield replace(world, sink=Sink(settings, world.committed, plan=planned(world.metadata)))
        return
    yield replace(world, sink=None)
    if sink.due is not None:
        if not sink.inserted and world.on_its_way is None:
            yield replace(world, on_its_way=_insert(sink, sink.due))
        yield _next_of(world, sink, sink.due)
        return
    for position in range(sink.position + 1, world.end + 1):
        fetched = tuple(o for o in range(sink.position, position) if world.log[o])
        yield replace(world, sink=replace(sink, buffer=sink.buffer + fetched, position=position))
    for waited in (0, LINGER_MS):
        buffered = Buffered(sink.buffer, sink.position, waited)
        due = next_range(buffered, sink.plan, sink.settings.rows_version, Limits(sink.settings.records, LINGER_MS))
        if due is not None:
            planning = replace(sink, plan=due, due=due)
            yield replace(world, committed=due.first, metadata=due.metadata(), sink=planning)


def _insert(sink: Sink, due: Range) -> Inserted:
    return due.token("table", "topic", 0), tuple(o for o in sink.buffer if due.first <= o <= due.last)


def _with(stored: frozenset[Inserted], new: Inserted) -> frozenset[Inserted]:
    """What the database makes of an insert: nothing, if it knows the token."""
    token, offsets = new
    same = [held for other, held in stored if other == token]
    assert not same or same == [offsets], f"one token for different offsets: {new}"
    return stored if same or not offsets else stored | {new}


def _next_of(world: World, sink: Sink, due: Range) -> World:
    """After the plan is committed comes the insert, after the insert the commit that clears the plan."""
    if not sink.inserted:
        return replace(world, stored=_with(world.stored, _insert(sink, due)), sink=replace(sink, inserted=True))
    rest = tuple(o for o in sink.buffer if o > due.last)
    done = replace(sink, buffer=rest, plan=None, due=None, inserted=False)
    return replace(world, committed=due.last + 1, metadata="", sink=done)


def explored(log: tuple[bool, ...], restarts: Sequence[Settings]) -> set[World]:
    """Every world that can be reached, each of them checked."""
    todo = [World(log)]
    known = set(todo)
    while todo:
        world = todo.pop()
        world.check()
        for after in steps(world, restarts):
            if after not in known:
                known.add(after)
                todo.append(after)
    return known


@pytest.mark.parametrize(
    "log",
    [
        (True, True, True),
        (False, True, True),
        (True, False, True),
        (True, True, False),
        (True, False, False, True),
        (True, True, True, False),
    ],
    ids=lambda log: "".join(".r"[held] for held in log),
)
def test_no_order_of_events_loses_or_doubles_an_offset(log: tuple[bool, ...]) -> None:
    """All of them: thousands of worlds, in every one of which each offset is stored once or still to come."""
    restarts = (Settings(1, 1), Settings(2, 1), Settings(3, 2))
    worlds = explored(log, restarts)
    assert any(world.finished() for world in worlds)
    _never_stuck(worlds, restarts)


def _never_stuck(worlds: set[World], restarts: Sequence[Settings]) -> None:
    """From wherever it is, a sink that does not crash again gets to the end."""
    for world in worlds:
        now = world
        for _ in range(10 * len(world.log) + 10):
            if now.finished():
                break
            now = _calmly(now, restarts)
        assert now.finished(), f"stuck: {world}"
        now.check()


def _calmly(world: World, restarts: Sequence[Settings]) -> World:
    """The last of the next worlds: the one that does most, and never a crash."""
    if world.sink is None:
        return replace(world, sink=Sink(restarts[0], world.committed, plan=planned(world.metadata)))
    return [after for after in steps(world, restarts) if after.sink is not None][-1]


@given(st.lists(st.booleans(), min_size=4, max_size=30), st.data())
def test_long_logs_with_crashes_at_random(log: list[bool], data: st.DataObject) -> None:
    """The same on longer logs, with one walk through the worlds."""
    restarts = (Settings(2, 1), Settings(5, 1), Settings(3, 2))
    world = World(tuple(log))
    for _ in range(60):
        world = data.draw(st.sampled_from(list(steps(world, restarts))))
        world.check()
    _never_stuck({world}, restarts)
