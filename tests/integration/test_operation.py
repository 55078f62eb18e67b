"""Starting, watching, stopping and restarting everything, as an operator does it; and what is said when it cannot be done."""

import json
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from functools import partial

import psutil  # type: ignore[import-untyped]
import pytest

from tests.harness.installation import Installation, Maker, alive
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(300)
NAMES = ["kafka", "clickhouse", "resolve", "journey", "sink", "serve", "intake", "watch"]
SERVERS = {"kafka", "clickhouse"}


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def tells(installation: Installation, words: str) -> bool:
    return words in installation.log()


def events(installation: Installation) -> set[str]:
    return {row[0] for row in installation.query("SELECT event_id FROM touchpoints FINAL")}


def test_status_tells_everything_about_a_running_installation(shared: Installation) -> None:
    shared.wait_idle()
    found = shared.told("status")
    assert set(found) == {"kafka", "clickhouse", "serve", "intake", "processes", "lag", "rates", "metrics"}
    assert [process["name"] for process in found["processes"]] == NAMES
    for process in found["processes"]:
        assert set(process) == {"name", "pid", "state", "restarts"}
        assert (process["state"], process["restarts"]) == ("ready", 0)
        assert psutil.Process(process["pid"]).is_running()
    assert found["lag"] == {"resolve": 0, "journey": 0, "sink": 0}
    assert set(found["rates"]) == {"produced", "resolve", "journey", "sink"}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", found["kafka"])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", found["clickhouse"])
    assert answers(found["serve"])


@pytest.mark.parametrize("how", [["up"], ["up", "--detach"]], ids=" ".join)
def test_a_second_up_on_the_same_home_says_so(shared: Installation, how: list[str]) -> None:
    done = shared.run(*how)
    assert done.returncode == 64
    assert re.fullmatch(r"touchstream: touchstream runs already on [^\n]+`touchstream status`[^\n]*\n", done.stderr)
    assert {one["restarts"] for one in shared.supervised().values()} == {0}


def test_a_process_that_dies_is_started_again_after_pauses_that_grow(make: Maker) -> None:
    installation = make(session_timeout_s="2").up()
    for pause in ("0.5", "1", "2"):
        said = f"sink ended with signal SIGKILL; starting it again in {pause} s"
        pid = installation.kill("sink")
        until(partial(tells, installation, said), 10, said)
        installation.restarted("sink", pid)
    assert installation.supervised()["sink"]["restarts"] == 3
    before = installation.told("status")["serve"]
    pid = installation.kill("serve")
    installation.restarted("serve", pid)
    after = installation.told("status")["serve"]
    assert answers(after), f"the board was at {before}"
    _broken_in_two_ways(installation)


def _broken_in_two_ways(installation: Installation) -> None:
    """Told in the same installation, to save a start: `wait` gives up in time, and `down` works on what is half up."""
    frozen = psutil.Process(installation.kill("journey", signal.SIGSTOP))
    installation.told("simulate", "--speed", "max", "--for", "1s", "--rate", "100")
    done = installation.run("wait", "--idle", "--timeout", "2")
    assert done.returncode == 75
    assert re.fullmatch(r"touchstream: not idle after 2 s: journey is behind[^\n]*\n", done.stderr)
    installation.kill("resolve")
    left = installation.processes()
    frozen.resume()
    installation.down()
    assert not any(map(alive, left))


def test_a_home_keeps_everything_however_it_is_stopped_and_knows_of_no_other(shared: Installation, make: Maker) -> None:
    installation = make(session_timeout_s="2").up()
    here, there = installation.told("status"), shared.told("status")
    assert all(here[name] != there[name] for name in ("kafka", "clickhouse", "serve"))
    installation.told("simulate", "--speed", "max", "--for", "5s", "--rate", "100", "--seed", "77")
    installation.wait_idle()
    stored = events(installation)
    assert stored
    assert not stored & events(shared)
    _stopped_as_it_should_be(installation)
    installation.up()
    assert (installation.bootstrap(), events(installation)) == (here["kafka"], stored)
    _killed_and_followed_at_once(installation)
    assert answers(installation.told("status")["serve"])
    installation.told("simulate", "--speed", "max", "--for", "5s", "--rate", "100", "--seed", "2")
    assert installation.told("reconcile")["unexplained"] == 0
    assert events(installation) > stored
    assert {one["state"] for one in shared.supervised().values()} == {"ready"}


def _stopped_as_it_should_be(installation: Installation) -> None:
    everyone = installation.processes()
    assert len(everyone) > len(NAMES)
    assert installation.told("down") == {"stopped": True}
    assert not any(map(alive, everyone))
    assert installation.told("down") == {"stopped": False, "reason": "not running"}
    nothing = installation.run("status", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)["processes"]) == (1, [])


def _killed_and_followed_at_once(installation: Installation) -> None:
    """The orphans of a killed supervisor end by themselves, and the next one need not wait for that."""
    everyone, pid = installation.processes(), installation.supervisor_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid), 10, "the supervisor is gone")
    installation.up()
    assert {one["state"] for one in installation.supervised().values()} == {"ready"}
    until(lambda: not any(map(alive, everyone)), 60, "everything has ended with its supervisor")


def test_ctrl_c_stops_everything_in_order(make: Maker) -> None:
    installation = make()
    installation.home.mkdir()
    said = installation.home.parent / "up.log"
    foreground = installation.begin("up", log=said)
    until(lambda: "board       http" in said.read_text(), 90, "it says where the board is")
    everyone = {name: psutil.Process(installation.pid(name)) for name in NAMES}
    whole = installation.processes()
    foreground.send_signal(signal.SIGINT)

    def stages_have_ended() -> bool:
        running = {name for name, process in everyone.items() if alive(process)}
        assert running >= SERVERS or not running - SERVERS, "a server ended before a stage"
        return not running - SERVERS

    until(stages_have_ended, 30, "the stages have ended")
    assert foreground.wait(60) == 0
    assert not any(map(alive, whole))
    assert "was killed" not in said.read_text()
    assert "Traceback" not in said.read_text()


def test_wrong_settings_are_all_named_and_nothing_is_started(make: Maker) -> None:
    done = make().run("up", kafka_port="none", timezone="Nowhere/At_all", sink_batch_rows="0")
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert lines[0] == "touchstream: the settings do not fit:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["timezone", "kafka_port", "sink_batch_rows"]
    unknown = make().run("status", sink_batch_row="1")
    assert unknown.returncode == 78
    assert re.search(r"TOUCHSTREAM_SINK_BATCH_ROW: no such setting", unknown.stderr)


@pytest.mark.parametrize("server", ["kafka", "clickhouse", "serve"])
def test_a_port_that_is_taken_is_named(make: Maker, taken_port: int, server: str) -> None:
    installation = make(**{f"{server}_port": str(taken_port)})
    done = installation.run("up", "--detach")
    assert done.returncode == 69
    assert re.fullmatch(rf"touchstream: [^\n]*{taken_port}[^\n]*TOUCHSTREAM_{server.upper()}_PORT[^\n]*\n", done.stderr)
    assert installation.processes() == []
