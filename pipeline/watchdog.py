"""Does a process still get on? A lane that has work waiting and does none for too long, without a reason, is stalled. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Two looks further apart than this part of the patience tell nothing: the process itself was stopped, or the machine slept.
GAP: Final = 0.5


@dataclass(frozen=True, slots=True)
class Lane:
    """What works through some partitions in order. `waiting`: records before it; `reached` changes whenever it gets on."""

    waiting: int
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One moment: `at` in seconds on a monotonic clock, the lanes by name, `steps` that the process has done outside its lanes.

    `excuse` is why nothing can be expected to get on just now; empty when there is no reason.
    """

    at: float
    lanes: Mapping[str, Lane]
    steps: int = 0
    excuse: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a lane may stand still, seconds; and how many times as long while others of the process get on.

    Lanes that share one loop take turns, so one that waits for its turn is not stalled.
    """

    seconds: float
    among_others: float = 1.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered between looks: the last one, since when each lane stands still, and when anything last got on."""

    last: Look | None = None
    since: Mapping[str, float] = field(default_factory=dict)
    moved_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Stalled:
    """The verdict on the lane that has stood still longest."""

    lane: str
    waiting: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.lane} has made no progress for {self.seconds:.0f} s, with {self.waiting} records waiting"


def judge(memory: Memory, look: Look, patience: Patience) -> tuple[Memory, Stalled | None]:
    """What to remember, and whether a lane is stalled now.

    Standing still counts from the first look at which a lane has something to do. It counts from anew when the lane gets on, when
    there is an excuse, and when looks lie so far apart that the process itself must have been stopped.
    """
    last = memory.last
    if last is None or look.excuse or look.at - last.at > GAP * patience.seconds:
        return Memory(look, dict.fromkeys(look.lanes, look.at), look.at), None
    since = {
        name: memory.since[name] if name in memory.since and _stands(last.lanes[name], lane) else look.at
        for name, lane in look.lanes.items()
    }
    moved = look.steps != last.steps or any(_moved(last.lanes.get(name), lane) for name, lane in look.lanes.items())
    remembered = Memory(look, since, look.at if moved else memory.moved_at)
    others_move = look.at - remembered.moved_at < patience.seconds
    allowed = patience.seconds * (patience.among_others if others_move else 1.0)
    stalled = [
        Stalled(name, look.lanes[name].waiting, look.at - began)
        for name, began in since.items()
        if look.at - began >= allowed
    ]
    return remembered, max(stalled, key=lambda one: one.seconds, default=None)


def _stands(before: Lane, now: Lane) -> bool:
    return before.waiting > 0 and now.waiting > 0 and before.reached == now.reached


def _moved(before: Lane | None, now: Lane) -> bool:
    return before is not None and before.reached != now.reached
