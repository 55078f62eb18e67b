"""The argument of `sinks.ranges` and `sinks.decisions`, checked by walking through every order of events that small logs allow.

The sink may crash between any two of its steps, records arrive in any portions, offsets have holes where transactions ended, some
records' rows are refused, and the limits and the version of the rows may change at a restart. Any step may take effect without the
sink hearing of it. An insert may reach the database long after the sink has given it up. The database is a set of tokens with the
places that came under each; the rejected records are a set of places. A place is partition and offset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.decisions import Commit, Done, Due, Insert, Progress, Refused, Reject, Unknown, begun, decide
from sinks.ranges import Buffered, Limits, Plan, next_plan, taken_over

LINGER_MS = 10
BAD = "x"
HOLE = "."

Place = tuple[int, int]
Inserted = tuple[str, tuple[Place, ...]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a restart may change."""

    records: int
    rows_version: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A running sink: what it has fetched, up to where by partition, and what it has decided."""

    settings: Settings
    positions: tuple[int, ...]
    progress: Progress
    buffer: tuple[Place, ...] = ()

    def fetched(self, world: "World", partition: int, position: int) -> "Sink":
        """When it has fetched a partition up to `position`."""
        new = [(partition, o) for o in range(self.positions[partition], position) if world.logs[partition][o] != HOLE]
        positions = tuple(position if p == partition else old for p, old in enumerate(self.positions))
        return replace(self, buffer=tuple(sorted((*self.buffer, *new))), positions=positions)

    def within(self, plan: Plan) -> tuple[Place, ...]:
        """What it holds of a plan."""
        ends = {one.partition: (one.first, one.last) for one in plan.ranges}
        return tuple((p, o) for p, o in self.buffer if p in ends and ends[p][0] <= o <= ends[p][1])


@dataclass(frozen=True, slots=True)
class World:
    """Kafka's logs by partition (`r` a good record, `x` one whose row is refused, `.` a hole) and how far they go, the committed
    offsets with their metadata, the database, the rejected records, and the sink."""

    logs: tuple[str, ...]
    ends: tuple[int, ...]
    committed: tuple[tuple[int, str], ...]
    stored: frozenset[Inserted] = frozenset()
    rejected: frozenset[Place] = frozenset()
    on_its_way: Inserted | None = None
    sink: Sink | None = None

    def kind(self, place: Place) -> str:
        """What lies there."""
        return self.logs[place[0]][place[1]]

    def check(self) -> None:
        """Nothing twice, nothing that was passed over, and rejected is what is bad and nothing else."""
        places = [place for _, places in self.stored for place in places]
        assert len(places) == len(set(places)), f"stored twice: {self}"
        assert not {place for place in places if self.kind(place) == BAD}, f"stored what is refused: {self}"
        assert all(self.kind(place) == BAD for place in self.rejected), f"rejected what is good: {self}"
        passed = {(p, o) for p, (end, _) in enumerate(self.committed) for o in range(end) if self.logs[p][o] != HOLE}
        lost = passed - set(places) - self.rejected
        assert not lost, f"lost: {lost} in {self}"

    def finished(self) -> bool:
        """Everything has arrived and is stored or rejected."""
        held = [max((o for o, kind in enumerate(log) if kind != HOLE), default=-1) for log in self.logs]
        whole = self.ends == tuple(map(len, self.logs))
        return whole and all(at > last for (at, _), last in zip(self.committed, held, strict=True))

    def started(self, settings: Settings) -> "World":
        """With a sink that begins at what is committed."""
        plan = taken_over(dict(enumerate(self.committed)))
        return replace(self, sink=Sink(settings, tuple(at for at, _ in self.committed), begun(plan)))


def world_of(text: str) -> World:
    """Logs from their text, partitions by `|`."""
    logs = tuple(text.split("|"))
    return World(logs, (0,) * len(logs), ((0, ""),) * len(logs))


def steps(world: World, restarts: Sequence[Settings]) -> Iterator[World]:
    """Every world that can come next; the last of them does most, and is no crash where there is another."""
    for p, log in enumerate(world.logs):
        if world.ends[p] < len(log):
            yield replace(world, ends=tuple(end + (p == other) for other, end in enumerate(world.ends)))
    if world.on_its_way is not None:
        yield replace(world, stored=_with(world.stored, world.on_its_way), on_its_way=None)
    sink = world.sink
    if sink is None:
        yield from map(world.started, restarts)
        return
    yield replace(world, sink=None)
    for p, end in enumerate(world.ends):
        for position in range(sink.positions[p] + 1, end + 1):
            yield replace(world, sink=sink.fetched(world, p, position))
    if sink.progress.action is not None:
        yield from _acted(world, sink, sink.progress.action)
    if sink.progress.free:
        yield from _planned(world, sink)


def _planned(world: World, sink: Sink) -> Iterator[World]:
    doing, refused = sink.progress.action, sink.progress.refused
    begins = dict(doing.offsets) if isinstance(doing, Commit) else {}
    offsets: dict[int, list[int]] = {}
    for p, o in sink.buffer:
        if o >= begins.get(p, 0):
            offsets.setdefault(p, []).append(o)
    for waited in (0, LINGER_MS):
        buffered = Buffered(offsets, waited, dict(refused[-1]) if refused else None)
        due = next_plan(buffered, sink.settings.rows_version, Limits(sink.settings.records, LINGER_MS))
        if due is not None:
            yield replace(world, sink=replace(sink, progress=decide(sink.progress, Due(due))))


def _acted(world: World, sink: Sink, action: Any) -> Iterator[World]:
    """The action takes effect; and the sink hears of it, or it does not and will do it again, or it dies before."""
    after: World
    if isinstance(action, Commit):
        after, begins = _committed(world, action), dict(action.offsets)
        heard = replace(sink, buffer=tuple((p, o) for p, o in sink.buffer if o >= begins.get(p, 0)))
    elif isinstance(action, Reject):
        after, heard = replace(world, rejected=world.rejected | set(sink.within(action.plan))), sink
    else:
        assert isinstance(action, Insert)
        if any(sink.positions[one.partition] <= one.last for one in action.plan.ranges):
            return
        places = sink.within(action.plan)
        if any(world.kind(place) == BAD for place in places):
            yield replace(world, sink=replace(sink, progress=decide(sink.progress, Refused(places, "why"))))
            return
        insert = (action.plan.token("table", "topic"), places)
        yield replace(world, on_its_way=insert, sink=None)
        yield replace(world, on_its_way=insert, sink=replace(sink, progress=decide(sink.progress, Unknown())))
        after, heard = replace(world, stored=_with(world.stored, insert)), sink
    yield replace(after, sink=None)
    yield replace(after, sink=sink)
    yield replace(after, sink=replace(heard, progress=decide(sink.progress, Done())))


def _committed(world: World, commit: Commit) -> World:
    """All its offsets at once, the plan as metadata of the partitions that have part in it."""
    offsets, members = dict(commit.offsets), {one.partition for one in commit.plan.ranges} if commit.plan else set()
    metadata = commit.plan.metadata() if commit.plan else ""
    new = [
        (offsets[p], metadata if p in members else "") if p in offsets else old for p, old in enumerate(world.committed)
    ]
    return replace(world, committed=tuple(new))


def _with(stored: frozenset[Inserted], new: Inserted) -> frozenset[Inserted]:
    """What the database makes of an insert: nothing, if it knows the token."""
    token, places = new
    same = [held for other, held in stored if other == token]
    assert not same or same == [places], f"one token for different places: {new}"
    return stored if same or not places else stored | {new}


def explored(logs: str, restarts: Sequence[Settings]) -> set[World]:
    """Every world that can be reached, each of them checked."""
    todo = [world_of(logs)]
    known = set(todo)
    while todo:
        world = todo.pop()
        world.check()
        for after in steps(world, restarts):
            if after not in known:
                known.add(after)
                todo.append(after)
    return known


@pytest.mark.parametrize("logs", ["rrr", ".rr", "r.r", "rr.", "r..r", "rrr.", "x", "rxr", "xr.", "xxr", "rrx"])
def test_no_order_of_events_loses_or_doubles_an_offset(logs: str) -> None:
    """All of them: thousands of worlds, in every one of which each offset is stored once, rejected or still to come."""
    restarts = (Settings(1, 1), Settings(2, 1), Settings(3, 2))
    worlds = explored(logs, restarts)
    assert any(world.finished() for world in worlds)
    _never_stuck(worlds, restarts)


@pytest.mark.parametrize(
    "logs", ["r|r", "r.|r", "rr|r", "x|r", "r|x", "x|x", "rx|r", "rr|rr", "xr|rx", "r|r|r", "r|x|."]
)
def test_partitions_that_are_inserted_together_neither(logs: str) -> None:
    """The same where one insert holds records of two partitions, one of them maybe bad."""
    restarts = (Settings(1, 1), Settings(2, 1), Settings(4, 2))
    worlds = explored(logs, restarts)
    assert any(world.finished() for world in worlds)
    _never_stuck(worlds, restarts)


def _never_stuck(worlds: set[World], restarts: Sequence[Settings]) -> None:
    """From wherever it is, a sink that does not crash again gets to the end."""
    good: set[World] = set()
    for world in worlds:
        way, now = [], world
        while not now.finished() and now not in good:
            way.append(now)
            assert len(way) < 30 * sum(map(len, world.logs)) + 30, f"stuck: {world}"
            now = _calmly(now, restarts)
            now.check()
        good.update(way)


def _calmly(world: World, restarts: Sequence[Settings]) -> World:
    """What a sink does that is left in peace: fetch everything, do what it has decided, plan what is due."""
    sink = world.sink
    if sink is None:
        return world.started(restarts[0])
    if world.ends != tuple(map(len, world.logs)):
        return replace(world, ends=tuple(map(len, world.logs)))
    for p, end in enumerate(world.ends):
        if sink.positions[p] < end:
            return replace(world, sink=sink.fetched(world, p, end))
    acted = list(_acted(world, sink, sink.progress.action)) if sink.progress.action is not None else []
    return (acted or list(_planned(world, sink)))[-1]


@given(st.lists(st.text("rrrx.", min_size=1, max_size=15), min_size=1, max_size=4).map("|".join), st.data())
def test_long_logs_with_crashes_at_random(logs: str, data: st.DataObject) -> None:
    """The same on longer logs and more of them, with one walk through the worlds."""
    restarts = (Settings(2, 1), Settings(5, 1), Settings(3, 2))
    world = world_of(logs)
    for _ in range(60):
        world = data.draw(st.sampled_from(list(steps(world, restarts))))
        world.check()
    _never_stuck({world}, restarts)
