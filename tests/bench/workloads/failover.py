"""How long after `kill -9` of a process the tables show again what it makes of touchpoints that arrived after the kill.

Everything runs under `touchstream up`, with a steady load; the supervisor starts what was killed again.
"""

import itertools
import os
import signal
import time
import uuid
from typing import Any, Final

from pipeline import supervisor
from pipeline.config import Settings
from sinks.clickhouse import ClickHouse
from tests.bench import broker
from tests.bench.broker import BenchFailed
from tests.bench.machine import load
from tests.bench.session import Bench
from tests.bench.workloads.pipeline import WARM_UP, installation, sending, trial

RATE: Final = 1000.0
SECONDS: Final = 30
SETTLE_S: Final = 4.0
TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.05
# What each process adds to the tables, by the time of the newest touchpoint in it.
TOUCHPOINTS: Final = "SELECT toUnixTimestamp64Milli(max(arrived_at)) FROM touchpoints"
CUSTOMERS: Final = "SELECT toUnixTimestamp64Milli(max(last_seen_at)) FROM customers"
NEWEST: Final = {"resolve": TOUCHPOINTS, "journey": CUSTOMERS, "sink": TOUCHPOINTS}


def run(bench: Bench) -> None:
    """Each process in every round, under a load of its own."""
    home = bench.options.out / f"failover-{time.time_ns()}"
    with installation(home) as settings:
        trial(bench, settings, *WARM_UP)
        for number, process in itertools.product(range(bench.options.rounds), NEWEST):
            found = _killed(bench, settings, process)
            bench.record("failover", {"system": f"{process} killed", **found, "round": number + 1})


def _killed(bench: Bench, settings: Settings, process: str) -> dict[str, Any]:
    before, database = load(), ClickHouse(settings)
    sender = sending(settings, RATE, SECONDS, (uuid.uuid4().hex[:8], bench.options.seed))
    try:
        began = time.time()
        _shown(database, process, began)
        time.sleep(SETTLE_S)
        pid = next(one["pid"] for one in (supervisor.status(settings) or {})["processes"] if one["name"] == process)
        killed_at = time.time()
        os.kill(int(pid), signal.SIGKILL)
        seconds = _shown(database, process, killed_at) - killed_at
        return {"seconds": round(seconds, 3), "load_before": before}
    finally:
        broker.stop(sender)
        database.close()


def _shown(database: ClickHouse, process: str, since: float) -> float:
    """When the tables first show what `process` made of a touchpoint that is newer than `since`; seconds since epoch."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        newest = database.query(NEWEST[process])[0][0]
        if newest > since * 1000:
            return time.time()
        time.sleep(POLL_S)
    raise BenchFailed(f"nothing new of {process} for {TIMEOUT_S:g} s")
