"""Processes killed, frozen, joining and leaving while data flow: nothing is lost and nothing counted twice.

The seed is printed; TOUCHSTREAM_TEST_SEED repeats a run as far as a machine repeats itself.
"""

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.harness.installation import STAGES, Installation, Maker
from tests.harness.load import Load, check_everything
from tests.harness.waiting import until

KILLS = 8
PATIENCE_S = 120.0
SESSION_TIMEOUT_S = "4"


@pytest.fixture
def installation(make: Maker) -> Installation:
    return make(session_timeout_s=SESSION_TIMEOUT_S).up()


def stored(installation: Installation) -> int:
    return installation.number("SELECT count() FROM touchpoints")


def wait_for_progress(installation: Installation, rows: int, what: str) -> None:
    goal = stored(installation) + rows
    until(lambda: stored(installation) >= goal, PATIENCE_S, f"{rows} more rows before {what}")


@pytest.mark.timeout(400)
def test_a_killer_among_the_stages_costs_nothing(installation: Installation, seed: int) -> None:
    chance = random.Random(seed)
    load = Load(installation)
    load.begin(seed)
    victims = [*STAGES, *chance.choices(STAGES, k=KILLS - len(STAGES))]
    chance.shuffle(victims)
    for victim in victims:
        if chance.random() < 0.6:  # else it dies with the one before it
            wait_for_progress(installation, chance.randrange(1, 1500), f"{victim} dies")
        installation.kill(victim)
    check_everything(installation, load.end(PATIENCE_S))
    restarts = {name: one["restarts"] for name, one in installation.supervised().items()}
    assert {name: restarts[name] for name in STAGES} == {name: victims.count(name) for name in STAGES}


@pytest.fixture
def second(installation: Installation) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Starts one more worker of a stage by hand."""
    begun: list[subprocess.Popen[str]] = []

    def start(stage: str) -> "subprocess.Popen[str]":
        said = installation.home.parent / f"second-{stage}-{len(begun)}.log"
        worker = installation.begin("run", stage, log=said)
        begun.append(worker)
        if stage == "sink":
            until(lambda: members(installation, stage) == 2, PATIENCE_S, "the group has two members")
        else:
            until(lambda: "open, " in said.read_text(), PATIENCE_S, f"a second {stage} has partitions")
        return worker

    yield start
    for worker in begun:
        worker.send_signal(signal.SIGCONT)
        worker.kill()
        worker.wait(10)


def members(installation: Installation, stage: str) -> int:
    from pipeline import topics_admin

    admin = topics_admin.open_admin(installation.bootstrap())
    try:
        group = f"{installation.settings.topic_prefix}{stage}"
        return len(admin.describe_groups([group])[group]["members"])
    finally:
        admin.close()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_frozen_worker_that_wakes_up_harms_nothing(
    installation: Installation, second: Callable[[str], "subprocess.Popen[str]"], seed: int
) -> None:
    load = Load(installation)
    load.begin(seed)
    second("journey")
    wait_for_progress(installation, 500, "one is frozen")
    frozen = installation.kill("journey", signal.SIGSTOP)
    until(lambda: members(installation, "journey") == 1, PATIENCE_S, "the group has given the frozen one up")
    wait_for_progress(installation, 2000, "the frozen one wakes up")
    os.kill(frozen, signal.SIGCONT)
    wait_for_progress(installation, 2000, "the load ends")
    check_everything(installation, load.end(PATIENCE_S))
    assert installation.pid("journey") == frozen


@pytest.mark.long
@pytest.mark.timeout(400)
def test_workers_join_and_leave_under_load(
    installation: Installation, second: Callable[[str], "subprocess.Popen[str]"], seed: int
) -> None:
    load = Load(installation)
    load.begin(seed)
    for stage in STAGES:
        joined = second(stage)
        wait_for_progress(installation, 300, f"the second {stage} leaves")
        joined.send_signal(signal.SIGTERM)
        assert joined.wait(30) == 0
    second("resolve").kill()
    second("sink").kill()
    wait_for_progress(installation, 300, "the load ends")
    check_everything(installation, load.end(PATIENCE_S))
