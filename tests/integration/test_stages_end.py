"""The three stages as processes of their own, with a full topic before them: told to end amid their work, and with rows that
ClickHouse refuses. In the end everything is accounted for."""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline import accounting, endpoints, lag, supervisor
from pipeline.codec import Decoder
from schemas.registry import FileRegistry
from sinks.clickhouse import ClickHouse
from tests.harness.installation import STAGES, Installation
from tests.harness.load import Load, check_everything
from tests.harness.waiting import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]
# What a process that is told to end promises, and what the test grants it beside others on a busy machine.
PROMISED_S = 5.0
GRANTED_S = 10.0
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def mine(shared: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A home, topics and tables of the test's own on the shared servers; nothing runs yet."""
    name = f"p{uuid4().hex}"
    servers = endpoints.known(shared.settings)
    installation = Installation(
        tmp_path / "home",
        {
            "topic_prefix": f"{name}.",
            "clickhouse_database": name,
            "kafka_bootstrap": servers.kafka,
            "clickhouse_address": servers.clickhouse,
            "session_timeout_s": "6",
        },
    )
    installation.home.mkdir()
    supervisor.prepare(installation.settings)
    yield installation
    server = ClickHouse(installation.settings, database="default")
    server.query(f"DROP DATABASE `{name}`")
    server.close()


@pytest.fixture
def begin(mine: Installation) -> Iterator[Begin]:
    """Starts a stage; whatever still runs in the end is ended."""
    begun: list[subprocess.Popen[str]] = []

    def start(stage: str, **settings: str) -> "subprocess.Popen[str]":
        begun.append(mine.begin("run", stage, log=None, **settings))
        return begun[-1]

    yield start
    for process in begun:
        process.terminate()
    for process in begun:
        process.wait(30)


def position(mine: Installation, stage: str) -> lag.Position:
    return lag.measure(mine.bootstrap(), mine.settings, (stage,))[stage]


def amid(mine: Installation, stage: str, process: "subprocess.Popen[str]") -> bool:
    """It has committed something, or has ended."""
    return process.poll() is not None or position(mine, stage).committed > 0


def done(mine: Installation, stage: str) -> bool:
    return position(mine, stage).lag == 0


def test_a_stage_that_is_told_to_end_amid_its_work_ends_well_and_soon(
    mine: Installation, begin: Begin, record_property: Callable[[str, object], None]
) -> None:
    """Small batches, so that there is much left to do; the next process goes on where it has ended."""
    load = Load(mine, seconds=25.0)
    load.send(1)
    for stage in STAGES:
        process = begin(stage, batch_records="10", sink_batch_rows="20")
        until(partial(amid, mine, stage, process), 60, f"{stage} has committed a batch")
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(GRANTED_S) == 0, stage
        took = round(time.monotonic() - told, 2)
        record_property(f"{stage}_ended_after_s", took)
        print(f"{stage} ended after {took} s; promised are {PROMISED_S:g} s")
        left = position(mine, stage)
        assert left.lag > 0, stage
        begin(stage)
        until(partial(done, mine, stage), 90, f"another {stage} does the rest")
    check_everything(mine, load.expected)


def arrived(mine: Installation) -> Counter[str]:
    """How often each event id has arrived."""
    decoder = Decoder("touchpoint", FileRegistry())
    found = (decoder.decode(raw.value) for raw in accounting.raw_log(mine.settings).records)
    return Counter(record["event_id"] for record in found if isinstance(record, dict))


def to_be_refused(mine: Installation, ids: set[str]) -> set[str]:
    """Touchpoints of which some have arrived twice."""
    counts = arrived(mine)
    twice = sorted(one for one in ids if counts[one] > 1)[:3]
    assert len(twice) == 3
    return {*twice, *sorted(ids - set(twice))[:3]}


def test_rows_that_clickhouse_refuses_are_accounted_for_by_reconcile_and_named_by_recompute(
    mine: Installation, begin: Begin
) -> None:
    """The second copies of refused touchpoints too: they are duplicates of what was rejected."""
    load = Load(mine, seconds=5.0)
    load.send(2)
    refused = to_be_refused(mine, load.expected.ids)
    names = ", ".join(f"'{one}'" for one in sorted(refused))
    mine.query(f"ALTER TABLE touchpoints ADD CONSTRAINT odd CHECK event_id NOT IN ({names})")
    mine.query("ALTER TABLE customers ADD CONSTRAINT odd CHECK modulo(cityHash64(person), 60) != 0")
    for stage in STAGES:
        begin(stage)
    mine.wait_idle()
    stored = [row[0] for row in mine.query("SELECT event_id FROM touchpoints")]
    assert len(stored) == len(set(stored))
    assert set(stored) == load.expected.ids - refused
    accounts = mine.told("reconcile")
    assert {name: accounts[name] for name in ("stored", "rejected", "duplicate", "unexplained")} == {
        "stored": len(stored),
        "rejected": load.expected.rejected + len(refused),
        "duplicate": load.expected.duplicates,
        "unexplained": 0,
    }
    again = mine.told("recompute")
    assert again["different"] == 0
    tables = {one["table"]: one for one in again["tables"]}
    assert tables["touchpoints"]["refused"] == len(refused)
    assert {name for name, one in tables.items() if one["refused"]} == {"touchpoints", "customers"}
