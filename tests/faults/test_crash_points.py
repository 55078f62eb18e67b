"""Every point at which a process can die by itself, as by kill -9, tried on a pipeline under load.

Each stage dies at one point after the other: the life that follows a death is the one that dies at the next point, and the last
one lives. ClickHouse refuses some touchpoints all the while. Then all invariants are checked.
"""

import random
import signal
from collections.abc import Iterator

import pytest

from pipeline.crash import SINK_POINTS, STAGE_POINTS, VARIABLE
from tests.faults.invariants import check
from tests.faults.refusals import is_refused, refuse
from tests.faults.watch import Watch
from tests.harness.keeper import Kept
from tests.harness.rig import Rig
from tests.harness.sending import Sending
from tests.harness.truth import Truth
from tests.harness.waiting import until

RATE = 60.0
DEATH_S = 240.0
REST_S = 120.0
# So that a state is saved in the midst of the work too, and not only when it has been restored.
SAVE_S = "3"
PARTITIONS = 2
# First, because a bad row is found the sooner the less has piled up.
REFUSALS = ("rejecting", "rejected")
POINTS = {
    "resolve": STAGE_POINTS,
    "journey": STAGE_POINTS,
    "sink": (*REFUSALS, *(point for point in SINK_POINTS if point not in REFUSALS)),
}
# One that dies while it saves is ended by the system's alarm.
ENDS = (-signal.SIGKILL, -signal.SIGALRM)
# These are passed once for each assignment or each bad row, the others with every batch.
SELDOM = ("assigned", "revoked", "restoring", *REFUSALS)


def die_everywhere(rig: Rig, stage: str, turns: dict[str, int]) -> None:
    """The process of a stage dies at every point of it, at the point's n-th passage."""
    kept, points = rig.keeper.kept[stage], POINTS[stage]
    kept.once = armed(stage, points[0], turns)
    rig.kill(stage)
    for life, (point, following) in enumerate(zip(points, [*points[1:], ""], strict=True), 2):
        comes_to(kept, life, life - 1, f"{stage} lives for the {life}. time")
        kept.once = armed(stage, following, turns) if following else {}
        if point == "revoked":
            another_comes_and_goes(rig, stage)
        comes_to(kept, life, life, f"{stage} passes {point} for the {turns[point]}. time")
        assert kept.ends[-1] in ENDS, f"{stage} was to die at {point}, but ended with {kept.ends[-1]}"


def comes_to(kept: Kept, lives: int, ends: int, what: str) -> None:
    until(lambda: kept.lives >= lives and len(kept.ends) >= ends, DEATH_S, what)


def armed(stage: str, point: str, turns: dict[str, int]) -> dict[str, str]:
    return {VARIABLE: f"{stage}:{point}:{turns[point]}"}


def another_comes_and_goes(rig: Rig, stage: str) -> None:
    rig.wait_ready(stage)
    other = rig.start(stage)
    rig.wait_ready(other)
    rig.keeper.remove(other)


def run_all(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)
    turns = {point: 1 if point in SELDOM else chance.randint(1, 3) for point in (*STAGE_POINTS, *SINK_POINTS)}
    turns["saving"] = chance.randint(1, 2 * PARTITIONS)  # the first ones when the partitions have been restored
    refuse(rig)
    with Watch(rig, is_refused) as watch:
        load = Sending(rig, seed, RATE).begin()
        until(lambda: rig.stored() > 100, DEATH_S, "there is a state to restore")
        for stage in reversed(POINTS):  # one after the other: each needs the ones before it to come to its points
            die_everywhere(rig, stage, turns)
        sent = load.end(60)
        check(rig, Truth().add(seed, sent.sent).refusing(is_refused), watch, seed, REST_S).insist()


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One whose stages save their state often, with few partitions: the sink inserts each apart."""
    with Rig(
        tmp_path_factory.mktemp("rig"), overrides={"state_save_s": SAVE_S, "topic_partitions": str(PARTITIONS)}
    ) as one:
        yield one


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_crash_point(rig: Rig, seed: int) -> None:
    run_all(rig, seed)
