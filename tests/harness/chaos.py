"""What goes wrong and when: a schedule that a seed repeats, and a driver that carries it out on a rig."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tests.harness.proxy import Line
from tests.harness.rig import STAGES, Rig
from tests.harness.waiting import until


class Kind(StrEnum):
    """Every kind of fault. The target of the first four is a stage, of the lines the name of a proxy."""

    KILL = "kill"
    FREEZE = "freeze"
    JOIN = "join"
    JOIN_TWICE = "join twice"
    BROKER_KILL = "kill kafka"
    BROKER_AWAY = "kafka away"
    DATABASE_KILL = "kill clickhouse"
    DATABASE_AWAY = "clickhouse away"
    DATABASE_FREEZE = "freeze clickhouse"
    CUT = "cut"
    STALL = "stall"
    NO_ANSWERS = "no answers"
    DELAY = "delay"


ON_STAGES: Final = (Kind.KILL, Kind.FREEZE, Kind.JOIN, Kind.JOIN_TWICE)
ON_SERVERS: Final = {
    Kind.BROKER_KILL: "kafka",
    Kind.BROKER_AWAY: "kafka",
    Kind.DATABASE_KILL: "clickhouse",
    Kind.DATABASE_AWAY: "clickhouse",
    Kind.DATABASE_FREEZE: "clickhouse",
}
ON_LINES: Final = {
    Kind.CUT: Line.CUT,
    Kind.STALL: Line.STALL,
    Kind.NO_ANSWERS: Line.NO_ANSWERS,
    Kind.DELAY: Line.DELAY,
}
LINES: Final = (*STAGES, "clickhouse")
# Seconds, least and most. One that takes a frozen process's place needs a while to begin, and then its session to run out.
LASTS: Final = {
    Kind.FREEZE: (7.0, 11.0),
    Kind.JOIN: (3.0, 8.0),
    Kind.JOIN_TWICE: (3.0, 8.0),
    Kind.BROKER_AWAY: (3.0, 6.0),
    Kind.DATABASE_AWAY: (3.0, 8.0),
    Kind.DATABASE_FREEZE: (2.0, 8.0),
    Kind.CUT: (1.0, 6.0),
    Kind.STALL: (2.0, 8.0),
    Kind.NO_ANSWERS: (2.0, 8.0),
    Kind.DELAY: (2.0, 6.0),
}
DELAY_S: Final = 0.2
# How long one that was frozen meets the one that took its place.
MEET_S: Final = 2.0
# How long one that was killed a moment ago may take to be there again.
BACK_S: Final = 30.0
# How long one that joins may take to have partitions, before it leaves without.
JOIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it begins (seconds after the start), what it is, whom it hits, how long it lasts; `hard` is by kill -9."""

    at_s: float
    kind: Kind
    target: str
    lasts_s: float = 0.0
    hard: bool = False

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        what = self.kind.value if self.kind in ON_SERVERS else f"{self.kind.value} {self.target}"
        return what + lasts


def schedule(seed: int, kinds: Sequence[Kind], count: int, seconds: float) -> list[Fault]:
    """So many faults in so many seconds, every kind in turn in an order of the seed; two on one target never overlap. Pure."""
    chance = random.Random(f"{seed}/{count}/{seconds:g}")
    turns: list[Kind] = []
    while len(turns) < count:
        turns += chance.sample(list(kinds), len(kinds))
    busy: dict[str, float] = {}
    found = []
    for number, kind in enumerate(turns[:count]):
        target = ON_SERVERS.get(kind) or chance.choice(STAGES if kind in ON_STAGES else LINES)
        lasts = round(chance.uniform(*LASTS[kind]), 2) if kind in LASTS else 0.0
        at = max((number + chance.random()) * seconds / count, busy.get(target, 0.0))
        busy[target] = at + lasts
        found.append(Fault(round(at, 2), kind, target, lasts, chance.random() < 0.5))
    return sorted(found, key=lambda fault: fault.at_s)


@dataclass(slots=True)
class Chaos:
    """Carries a schedule out on a rig; `say` hears every beginning and end."""

    rig: Rig
    say: Callable[[str], None] = print
    done: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _wait: threading.Event = field(default_factory=threading.Event)

    def run(self, faults: Iterable[Fault]) -> None:
        """Begin and end every fault at its time; returns when the last one has ended."""
        self._begun = time.monotonic()
        steps: list[tuple[float, int, Callable[[], None]]] = []
        for number, fault in enumerate(faults):
            end = self._ending(fault)
            steps.append((fault.at_s, 2 * number, end.begin))
            if fault.lasts_s:
                steps.append((fault.at_s + fault.lasts_s, 2 * number + 1, end.end))
        for at, _, step in sorted(steps, key=lambda one: one[:2]):
            self._wait.wait(max(0.0, self._begun + at - time.monotonic()))
            step()

    def one(self, fault: Fault) -> None:
        """Carry out a single fault now, whatever its time."""
        self.run([Fault(0.0, fault.kind, fault.target, fault.lasts_s, fault.hard)])

    def _ending(self, fault: Fault) -> "_Carried":
        return _Carried(self, fault)

    def pause(self, seconds: float) -> None:
        """Let everything run for so long."""
        self._wait.wait(seconds)

    def joined(self, name: str) -> bool:
        """Wait until one that joins has partitions, for a while; a broken pipeline may give it none."""
        end = time.monotonic() + JOIN_S
        while time.monotonic() < end and not self.rig.is_ready(name):
            self.pause(0.1)
        return self.rig.is_ready(name)

    def note(self, text: str) -> None:
        """Say something with the time."""
        self.say(f"{time.monotonic() - self._begun:8.2f} s  {text}")


@dataclass(slots=True)
class _Carried:
    """One fault on its way: what has to be undone at its end."""

    chaos: Chaos
    fault: Fault
    pid: int | None = None
    names: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Make it happen."""
        fault, rig = self.fault, self.chaos.rig
        if fault.kind in ON_LINES:
            rig.lines[fault.target].set(ON_LINES[fault.kind], DELAY_S)
        elif fault.kind in (Kind.KILL, Kind.BROKER_KILL, Kind.DATABASE_KILL):
            self.pid = until(lambda: rig.kill(fault.target), BACK_S, f"{fault.target} is there to be killed")
        elif fault.kind in (Kind.BROKER_AWAY, Kind.DATABASE_AWAY):
            rig.hold(fault.target)
        elif fault.kind in (Kind.FREEZE, Kind.DATABASE_FREEZE):
            self.pid = rig.keeper.kept[fault.target].signal(signal.SIGSTOP)
            self.names = [rig.start(fault.target)] if fault.kind is Kind.FREEZE else []
        else:
            self.names = [rig.start(fault.target) for _ in range(2 if fault.kind is Kind.JOIN_TWICE else 1)]
        self.chaos.done += 1
        self.chaos.note(str(fault) + (f" (process {self.pid})" if self.pid else ""))

    def end(self) -> None:
        """Undo it."""
        fault, rig = self.fault, self.chaos.rig
        joined = [self.chaos.joined(name) for name in self.names]
        if fault.kind in ON_LINES:
            rig.lines[fault.target].set(Line.PASS)
        elif fault.kind in (Kind.BROKER_AWAY, Kind.DATABASE_AWAY):
            rig.release(fault.target)
        elif self.pid is not None:
            rig.keeper.kept[fault.target].signal(signal.SIGCONT)
            self.chaos.pause(MEET_S if self.names else 0.0)
        for name, had in zip(self.names, joined, strict=True):
            code = rig.keeper.remove(name, signal.SIGKILL if fault.hard else signal.SIGTERM)
            self.chaos.note(f"{name} {'had partitions and' if had else 'without partitions'} left with {code}")
        self.chaos.note(f"end of {fault}")
