"""Faults of every kind while data flow; at the end every invariant is checked. A seed repeats faults, times and input."""

from collections.abc import Sequence

import pytest

from tests.faults.invariants import check
from tests.faults.watch import Watch
from tests.harness.chaos import LINES, Chaos, Fault, Kind, schedule
from tests.harness.rig import STAGES, Rig
from tests.harness.sending import Sending
from tests.harness.truth import Truth

RATE = 200.0
REST_S = 90.0
SHORT_S = 40.0


def survives(rig: Rig, seed: int, faults: Sequence[Fault]) -> None:
    """Carry the faults out under load, then check everything."""
    with Watch(rig) as watch:
        load = Sending(rig, seed, RATE).begin()
        Chaos(rig).run(faults)
        sent = load.end(120)
        check(rig, Truth().add(seed, sent.sent), watch, seed, REST_S).insist()


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
        survives(rig, seed, schedule(seed, [Kind.FREEZE], 12, 60))

    def test_rebalance_storm(self, rig: Rig, seed: int) -> None:
        survives(rig, seed, schedule(seed, [Kind.JOIN, Kind.JOIN_TWICE], 30, 90))

    def test_broker(self, rig: Rig, seed: int) -> None:
        away = Fault(0.0, Kind.BROKER_AWAY, "kafka", 30.0)
        later = [
            Fault(one.at_s + 35, one.kind, one.target, one.lasts_s)
            for one in schedule(seed, [Kind.BROKER_KILL, Kind.BROKER_AWAY], 6, 60)
        ]
        survives(rig, seed, [away, *later])

    def test_clickhouse(self, rig: Rig, seed: int) -> None:
        kinds = [Kind.DATABASE_KILL, Kind.DATABASE_AWAY, Kind.DATABASE_FREEZE]
        slow = Fault(60.0, Kind.DELAY, "clickhouse", 15.0)
        survives(rig, seed, [*schedule(seed, kinds, 9, 60), slow])

    def test_network(self, rig: Rig, seed: int) -> None:
        lines = [Kind.CUT, Kind.STALL, Kind.NO_ANSWERS, Kind.DELAY]
        survives(rig, seed, schedule(seed, lines, 24, 90))

    def test_a_line_cut_for_half_a_minute(self, rig: Rig, seed: int) -> None:
        faults = [Fault(at, Kind.STALL, line, 30.0) for at, line in enumerate(LINES)]
        survives(rig, seed, faults)

    def test_kills_of_processes_and_servers(self, rig: Rig, seed: int) -> None:
        kinds = [Kind.KILL] * len(STAGES) + [Kind.BROKER_KILL, Kind.DATABASE_KILL]
        survives(rig, seed, schedule(seed, kinds, 25, 90))
