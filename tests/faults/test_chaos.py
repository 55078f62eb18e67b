"""Faults of every kind while data flow; at the end every invariant is checked. A seed repeats faults, times and input."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from tests.faults.invariants import check
from tests.faults.watch import Watch
from tests.harness.chaos import LINES, Chaos, Fault, Kind, schedule
from tests.harness.rig import STAGES, Rig
from tests.harness.sending import Sending
from tests.harness.truth import Truth

RATE = 200.0
# A stage whose client never finds back to the broker is ended by its watchdog after a minute, and begins again.
REST_S = 180.0
SHORT_S = 40.0


def survives(rig: Rig, seed: int, faults: Sequence[Fault]) -> None:
    """Carry the faults out under load, then check everything."""
    with Watch(rig) as watch:
        load = Sending(rig, seed, RATE).begin()
        Chaos(rig).run(faults)
        sent = load.end(120)
        check(rig, Truth().add(seed, sent.sent), watch, seed, REST_S).insist()


def later(seconds: float, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults so many seconds later."""
    return [replace(fault, at_s=fault.at_s + seconds) for fault in faults]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_all_kinds_of_faults_in_turn(rig: Rig, seed: int) -> None:
    survives(rig, seed, schedule(seed, list(Kind), len(Kind), SHORT_S))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
class TestLong:
    """Longer runs of one kind of fault each, as often as it can be had."""

    def test_zombies(self, rig: Rig, seed: int) -> None:
        """Each stage is away for a minute, longer than its session and its transaction last; then some for a short while."""
        minute = [Fault(4.0 * number, Kind.FREEZE, stage, 60.0) for number, stage in enumerate(STAGES)]
        survives(rig, seed, [*minute, *later(75, schedule(seed, [Kind.FREEZE], 4, 20))])

    def test_rebalance_storm(self, rig: Rig, seed: int) -> None:
        survives(rig, seed, schedule(seed, [Kind.JOIN, Kind.JOIN_TWICE], 12, 35))

    def test_broker(self, rig: Rig, seed: int) -> None:
        away = Fault(0.0, Kind.BROKER_AWAY, "kafka", 30.0)
        survives(rig, seed, [away, *later(35, schedule(seed, [Kind.BROKER_KILL, Kind.BROKER_AWAY], 4, 30))])

    def test_clickhouse(self, rig: Rig, seed: int) -> None:
        kinds = [Kind.DATABASE_KILL, Kind.DATABASE_AWAY, Kind.DATABASE_FREEZE]
        slow = Fault(42.0, Kind.DELAY, "clickhouse", 15.0)
        survives(rig, seed, [*schedule(seed, kinds, 6, 40), slow])

    def test_network(self, rig: Rig, seed: int) -> None:
        """Every line is broken for half a minute, each in its own way; then one after the other for a short while."""
        chance = random.Random(seed)
        half = [Fault(at, chance.choice([Kind.CUT, Kind.STALL]), line, 30.0) for at, line in enumerate(LINES)]
        kinds = [Kind.CUT, Kind.STALL, Kind.NO_ANSWERS, Kind.DELAY]
        survives(rig, seed, [*half, *later(38, schedule(seed, kinds, 10, 30))])

    def test_kills_of_processes_and_servers(self, rig: Rig, seed: int) -> None:
        kinds = [Kind.KILL] * len(STAGES) + [Kind.BROKER_KILL, Kind.DATABASE_KILL]
        survives(rig, seed, schedule(seed, kinds, 10, 35))
