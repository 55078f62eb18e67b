"""The argument of `sinks.ranges` and `sinks.decisions`, checked by walking through every order of events that a small log allows.

The sink may crash between any two of its steps, records arrive in any portions, offsets have holes where transactions ended, some
records' rows are refused, and the limits and the version of the rows may change at a restart. Any step may take effect without the
sink hearing of it. An insert may reach the database long after the sink has given it up. The database is a set of tokens with the
offsets that came under each; the rejected records are a list, of which one source offset counts once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.decisions import Commit, Done, Due, Insert, Progress, Refused, Reject, Unknown, begun, decide
from sinks.ranges import Buffered, Limits, Range, next_range, planned

LINGER_MS = 10
BAD = "x"
HOLE = "."


@dataclass(frozen=True, slots=True)
class Settings:
    """What a restart may change."""

    records: int
    rows_version: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A running sink: what it has fetched, up to where, and what it has decided."""

    settings: Settings
    position: int
    progress: Progress
    buffer: tuple[int, ...] = ()


Inserted = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class World:
    """Kafka's log (`r` a good record, `x` one whose row is refused, `.` a hole) and how far it goes, the committed offset, the
    database, the rejected records, and the sink."""

    log: str
    end: int = 0
    committed: int = 0
    metadata: str = ""
    stored: frozenset[Inserted] = frozenset()
    rejected: frozenset[int] = frozenset()
    on_its_way: Inserted | None = None
    sink: Sink | None = None

    def check(self) -> None:
        """Nothing twice, nothing that was passed over, and rejected is what is bad and nothing else."""
        offsets = [offset for _, offsets in self.stored for offset in offsets]
        assert len(offsets) == len(set(offsets)), f"stored twice: {self}"
        assert not {o for o in offsets if self.log[o] == BAD}, f"stored what is refused: {self}"
        assert all(self.log[o] == BAD for o in self.rejected), f"rejected what is good: {self}"
        passed = {o for o in range(self.committed) if self.log[o] != HOLE}
        lost = passed - set(offsets) - self.rejected
        assert not lost, f"lost: {lost} in {self}"

    def finished(self) -> bool:
        """Everything has arrived and is stored or rejected."""
        held = [o for o, kind in enumerate(self.log) if kind != HOLE]
        return self.end == len(self.log) and self.committed > max(held, default=-1)


def steps(world: World, restarts: Sequence[Settings]) -> Iterator[World]:
    """Every world that can come next; the last of them does most, and is no crash where there is another."""
    if world.end < len(world.log):
        yield replace(world, end=world.end + 1)
    if world.on_its_way is not None:
        yield replace(world, stored=_with(world.stored, world.on_its_way), on_its_way=None)
    sink = world.sink
    if sink is None:
        for settings in restarts:
            yield replace(world, sink=Sink(settings, world.committed, begun(planned(world.metadata))))
        return
    yield replace(world, sink=None)
    for position in range(sink.position + 1, world.end + 1):
        fetched = tuple(o for o in range(sink.position, position) if world.log[o] != HOLE)
        yield replace(world, sink=replace(sink, buffer=sink.buffer + fetched, position=position))
    if sink.progress.action is not None:
        yield from _acted(world, sink, sink.progress.action)
    if sink.progress.free:
        yield from _planned(world, sink)


def _planned(world: World, sink: Sink) -> Iterator[World]:
    doing, refused = sink.progress.action, sink.progress.refused
    offsets = tuple(o for o in sink.buffer if not isinstance(doing, Commit) or o >= doing.offset)
    for waited in (0, LINGER_MS):
        buffered = Buffered(offsets, sink.position, waited, refused[-1] if refused else None)
        due = next_range(buffered, None, sink.settings.rows_version, Limits(sink.settings.records, LINGER_MS))
        if due is not None:
            yield replace(world, sink=replace(sink, progress=decide(sink.progress, Due(due))))


def _acted(world: World, sink: Sink, action: Any) -> Iterator[World]:
    """The action takes effect; and the sink hears of it, or it does not and will do it again, or it dies before."""
    after: World
    if isinstance(action, Commit):
        after = replace(world, committed=action.offset, metadata=action.plan.metadata() if action.plan else "")
        heard = replace(sink, buffer=tuple(o for o in sink.buffer if o >= action.offset))
    elif isinstance(action, Reject):
        after = replace(world, rejected=world.rejected | {o for o in sink.buffer if _within(o, action.range)})
        heard = sink
    else:
        assert isinstance(action, Insert)
        if sink.position <= action.range.last:
            return
        offsets = tuple(o for o in sink.buffer if _within(o, action.range))
        if any(world.log[o] == BAD for o in offsets):
            yield replace(world, sink=replace(sink, progress=decide(sink.progress, Refused(offsets, "why"))))
            return
        insert = (action.range.token("table", "topic", 0), offsets)
        yield replace(world, on_its_way=insert, sink=None)
        yield replace(world, on_its_way=insert, sink=replace(sink, progress=decide(sink.progress, Unknown())))
        after, heard = replace(world, stored=_with(world.stored, insert)), sink
    yield replace(after, sink=None)
    yield replace(after, sink=sink)
    yield replace(after, sink=replace(heard, progress=decide(sink.progress, Done())))


def _within(offset: int, due: Range) -> bool:
    return due.first <= offset <= due.last


def _with(stored: frozenset[Inserted], new: Inserted) -> frozenset[Inserted]:
    """What the database makes of an insert: nothing, if it knows the token."""
    token, offsets = new
    same = [held for other, held in stored if other == token]
    assert not same or same == [offsets], f"one token for different offsets: {new}"
    return stored if same or not offsets else stored | {new}


def explored(log: str, restarts: Sequence[Settings]) -> set[World]:
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


@pytest.mark.parametrize("log", ["rrr", ".rr", "r.r", "rr.", "r..r", "rrr.", "x", "rxr", "xr.", "xxr", "rrx"])
def test_no_order_of_events_loses_or_doubles_an_offset(log: str) -> None:
    """All of them: thousands of worlds, in every one of which each offset is stored once, rejected or still to come."""
    restarts = (Settings(1, 1), Settings(2, 1), Settings(3, 2))
    worlds = explored(log, restarts)
    assert any(world.finished() for world in worlds)
    _never_stuck(worlds, restarts)


def _never_stuck(worlds: set[World], restarts: Sequence[Settings]) -> None:
    """From wherever it is, a sink that does not crash again gets to the end."""
    good: set[World] = set()
    for world in worlds:
        way, now = [], world
        while not now.finished() and now not in good:
            way.append(now)
            assert len(way) < 30 * len(world.log) + 30, f"stuck: {world}"
            now = _calmly(now, restarts)
            now.check()
        good.update(way)


def _calmly(world: World, restarts: Sequence[Settings]) -> World:
    """What a sink does that is left in peace: fetch everything, do what it has decided, plan what is due."""
    sink = world.sink
    if sink is None:
        return replace(world, sink=Sink(restarts[0], world.committed, begun(planned(world.metadata))))
    if world.end < len(world.log):
        return replace(world, end=len(world.log))
    if sink.position < world.end:
        fetched = tuple(o for o in range(sink.position, world.end) if world.log[o] != HOLE)
        return replace(world, sink=replace(sink, buffer=sink.buffer + fetched, position=world.end))
    acted = list(_acted(world, sink, sink.progress.action)) if sink.progress.action is not None else []
    return (acted or list(_planned(world, sink)))[-1]


@given(st.text("rrrx.", min_size=4, max_size=30), st.data())
def test_long_logs_with_crashes_at_random(log: str, data: st.DataObject) -> None:
    """The same on longer logs, with one walk through the worlds."""
    restarts = (Settings(2, 1), Settings(5, 1), Settings(3, 2))
    world = World(log)
    for _ in range(60):
        world = data.draw(st.sampled_from(list(steps(world, restarts))))
        world.check()
    _never_stuck({world}, restarts)
