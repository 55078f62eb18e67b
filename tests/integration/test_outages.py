"""Kafka or ClickHouse goes away while data flow: one line says so, and everything goes on by itself when it is back."""

import re
import signal

import psutil  # type: ignore[import-untyped]
import pytest

from tests.harness.installation import STAGES, Installation, Maker
from tests.harness.load import Load, check_everything
from tests.harness.scraping import fetched
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(400)
PATIENCE_S = 120.0
# An outage of ten seconds; the client libraries alone would say thousands of lines.
MOST_LINES = 60


@pytest.fixture
def installation(make: Maker) -> Installation:
    return make(session_timeout_s="4").up()


def wait_for_rows(installation: Installation, more: int) -> None:
    """Wait until so many more rows are stored."""
    goal = installation.number("SELECT count() FROM touchpoints") + more
    until(lambda: installation.number("SELECT count() FROM touchpoints") >= goal, PATIENCE_S, f"{more} more rows")


def said_since(installation: Installation, before: int) -> list[str]:
    return installation.log()[before:].splitlines()


@pytest.mark.long
def test_everything_goes_on_when_kafka_was_killed_or_froze(installation: Installation) -> None:
    load = Load(installation)
    load.begin(1)
    wait_for_rows(installation, 500)
    before, pid = len(installation.log()), installation.pid("kafka")
    installation.java().kill()
    installation.restarted("kafka", pid)
    wait_for_rows(installation, 1000)
    said = said_since(installation, before)
    assert sum("Kafka was ended by SIGKILL" in line for line in said) == 1
    assert len(said) < MOST_LINES, "\n".join(said)
    java = installation.java()
    java.suspend()
    stuck = installation.run("wait", "--idle", "--timeout", "1")
    java.resume()
    assert stuck.returncode == 75
    assert re.fullmatch(r"touchstream: not idle after 1 s: Kafka at [^\n]* does not answer[^\n]*\n", stuck.stderr)
    wait_for_rows(installation, 1000)
    check_everything(installation, load.end(PATIENCE_S))
    assert {name: installation.supervised()[name]["restarts"] for name in STAGES} == dict.fromkeys(STAGES, 0)
    addresses = installation.told("status")["metrics"]
    known = "touchstream_lag_seconds{"
    until(lambda: all(known in fetched(addresses[name]) for name in STAGES), 30, "all know their lag again")


def test_everything_goes_on_when_clickhouse_was_killed_or_froze(installation: Installation) -> None:
    load = Load(installation)
    load.begin(1)
    wait_for_rows(installation, 500)
    before = len(installation.log())
    pid = installation.kill("clickhouse")
    installation.restarted("clickhouse", pid)
    wait_for_rows(installation, 1000)
    until(lambda: "inserting again after" in installation.log()[before:], PATIENCE_S, "the sink says that it goes on")
    said = said_since(installation, before)
    sink = [line for line in said if " sink: " in line]
    # One line when it goes and one when it is back; a server that is only just starting may go once more.
    assert len(sink) <= 5, "\n".join(sink)
    assert re.search(r"WARNING sink: ClickHouse at 127.0.0.1:\d+ .*nothing is lost, trying again", sink[0])
    assert re.search(r"WARNING sink: inserting again after \d+ tries", sink[1])
    assert sum("clickhouse ended with signal SIGKILL" in line for line in said) == 1
    assert "Traceback" not in "\n".join(said)
    assert len(said) < MOST_LINES, "\n".join(said)
    frozen = psutil.Process(installation.kill("clickhouse", signal.SIGSTOP))
    sent = load.expected.runs
    until(lambda: load.expected.runs > sent + 1, PATIENCE_S, "load while ClickHouse is frozen")
    frozen.resume()
    check_everything(installation, load.end(PATIENCE_S))


@pytest.mark.parametrize(
    "command",
    [
        ["wait", "--idle"],
        ["reconcile"],
        ["recompute"],
        ["topics", "plan"],
        ["topics", "apply"],
        ["db", "status"],
        ["db", "migrate"],
        ["simulate", "--for", "1s"],
        ["customer", "customer:a"],
        ["run", "resolve"],
        ["run", "sink"],
    ],
    ids=" ".join,
)
def test_a_command_with_nothing_to_talk_to_says_so_in_one_line(make: Maker, command: list[str]) -> None:
    done = make().run(*command, timeout_s=60)
    assert done.returncode in (69, 78)
    assert done.stdout == ""
    assert re.fullmatch(r"touchstream: [^\n]*touchstream up[^\n]*\n", done.stderr)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["topics", "plan"], "Kafka"),
        (["topics", "apply"], "Kafka"),
        (["db", "status"], "ClickHouse"),
        (["db", "migrate"], "ClickHouse"),
        (["wait", "--idle", "--timeout", "1"], "Kafka"),
        (["reconcile", "--timeout", "1"], "Kafka"),
        (["recompute", "--timeout", "1"], "Kafka"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_command_says_in_one_line_that_a_server_does_not_answer(make: Maker, command: list[str], what: str) -> None:
    nowhere = "127.0.0.1:9"
    done = make(kafka_bootstrap=nowhere, clickhouse_address=nowhere).run(*command, timeout_s=100)
    assert done.returncode in (69, 75)
    assert done.stdout == ""
    assert re.fullmatch(r"touchstream: [^\n]+\n", done.stderr), done.stderr
    assert what in done.stderr


@pytest.mark.parametrize("stage", ["resolve", "journey", pytest.param("sink", marks=pytest.mark.long)])
def test_a_stage_that_finds_no_kafka_ends_with_one_clear_line(make: Maker, stage: str) -> None:
    nowhere = "127.0.0.1:9"
    done = make().run("run", stage, kafka_bootstrap=nowhere, clickhouse_address=nowhere, timeout_s=100)
    assert done.returncode == 69
    said = [line for line in done.stderr.splitlines() if line.startswith("touchstream: ")]
    assert len(said) == 1
    assert "Kafka" in said[0]
    assert nowhere in said[0]
    assert "Traceback" not in done.stderr
