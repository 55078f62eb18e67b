"""The whole pipeline, open loop: how long from the moment a record was meant to be sent until ClickHouse shows it.

Latency at a given rate, and by bisection the highest rate at which latency stays flat.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pipeline import endpoints, lag, supervisor
from pipeline.config import Settings
from pipeline.keys import Keyring
from sinks.clickhouse import ClickHouse
from tests.bench import broker, probes
from tests.bench.broker import SECRET, BenchFailed
from tests.bench.machine import load
from tests.bench.meter import Meter, tree
from tests.bench.session import Bench
from tests.bench.stats import percentile

POLL_S: Final = 0.05
DRAIN_S: Final = 30.0
IDLE_S: Final = 300.0
# A rate is sustained when every stage is done so long after the last record: a share of the trial, and what looking takes.
MOST_DRAIN_SHARE: Final = 0.1
MOST_DRAIN_S: Final = 3.0
HIGHEST_RATE: Final = 64_000.0
MOST_BEHIND_S: Final = 1.0
# A burst before anything is measured: classes loaded, tables with parts, lanes open.
HOT_SHARE: Final = 0.3
WARM_UP: Final = (2000.0, 10.0)
SEEN_SQL: Final = (
    "SELECT event_id FROM touchpoints WHERE cell IN %(cells)s"
    " AND occurred_at >= fromUnixTimestamp64Milli(%(since)s) AND startsWith(event_id, %(run)s)"
)


def run(bench: Bench) -> None:
    """Latency at the given rate in every round, then the highest rate."""
    home = bench.options.out / f"pipeline-{time.time_ns()}"
    with installation(home) as settings:
        bench.say("the whole of touchstream runs; warming up")
        trial(bench, settings, *WARM_UP)
        for number in range(bench.options.rounds):
            found = trial(bench, settings, bench.options.rate, bench.options.seconds)
            bench.record("pipeline latency", {**found, "round": number + 1})
        _bisect(bench, settings)


def _bisect(bench: Bench, settings: Settings) -> None:
    good, bad, rate = 0.0, HIGHEST_RATE, bench.options.rate
    for step in range(bench.options.steps):
        found = trial(bench, settings, rate, bench.options.seconds)
        bench.record("pipeline rate", {**found, "step": step + 1})
        good, bad = (rate, bad) if found["flat"] else (good, rate)
        rate = 2 * rate if bad == HIGHEST_RATE else round((good + bad) / 2, -2)
        if rate >= HIGHEST_RATE:
            break
    bench.record("pipeline highest rate", {"system": "touchstream, whole pipeline", "highest_flat_rate": good})


@contextmanager
def installation(home: Path) -> Iterator[Settings]:
    """The whole of touchstream, running in a home of its own. Raises BenchFailed."""
    home.mkdir(parents=True)
    environment = broker.environment(home)
    started = subprocess.run(
        broker.touchstream("up", "--detach"), env=environment, capture_output=True, text=True, check=False
    )
    if started.returncode:
        raise BenchFailed(f"touchstream does not start: {started.stderr.strip()}")
    try:
        yield broker.settings(home)
    finally:
        subprocess.run(broker.touchstream("down"), env=environment, capture_output=True, check=False)


def sending(
    settings: Settings, rate: float, seconds: float, run: tuple[str, int], hot: float = 0.0
) -> "subprocess.Popen[str]":
    """A process that sends touchpoints at a rate, a share `hot` of them of one identifier; `run` is the run's name and seed."""
    arguments = [str(rate), str(seconds), *map(str, run), str(hot)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sender", *arguments],
        env=broker.environment(settings.home),
        stdout=subprocess.PIPE,
        text=True,
    )


def flood(bench: Bench) -> None:
    """Latency of everybody else while one identifier sends a share of all, beside that without; in turns."""
    home = bench.options.out / f"flood-{time.time_ns()}"
    with installation(home) as settings:
        bench.say("the whole of touchstream runs; warming up")
        trial(bench, settings, *WARM_UP)
        for number in range(bench.options.rounds):
            for hot in (0.0, HOT_SHARE):
                found = trial(bench, settings, bench.options.rate, bench.options.seconds, hot)
                name = f"{round(100 * hot)}% of one identifier"
                bench.record("flood", {**found, "system": name, "hot": hot, "round": number + 1})


def trial(bench: Bench, settings: Settings, rate: float, seconds: float, hot: float = 0.0) -> dict[str, Any]:
    """One trial: latencies of its probes, whether they stayed flat, and processor time by process."""
    name, before = uuid.uuid4().hex[:8], load()
    status = supervisor.status(settings) or {"processes": []}
    pids = {one["name"]: int(one["pid"]) for one in status["processes"] if one["pid"]}
    meters = {process: Meter([pid]) for process, pid in pids.items() if tree(pid)}
    sender = sending(settings, rate, seconds, (name, bench.options.seed), hot)
    for meter in meters.values():
        meter.__enter__()
    try:
        seen, summary = _watched(settings, sender, name, probes.spacing(rate))
        drained_s = _drained(settings) - summary["began"] - summary["took_s"]
    finally:
        broker.stop(sender)
        for meter in meters.values():
            meter.__exit__()
    window = (summary["began"], summary["began"] + summary["took_s"])
    return {
        "system": "touchstream, whole pipeline",
        "rate": rate,
        "trial_seconds": seconds,
        **_figures(seen, {**summary, "drained_s": drained_s}, seconds),
        "cpu_by_process": {process: round(meter.cpu(*window), 2) for process, meter in meters.items()},
        "load_before": before,
    }


def _figures(seen: dict[str, float], summary: dict[str, Any], seconds: float) -> dict[str, Any]:
    sent = summary["probes"]
    begin = summary["began"]
    latencies = [(probes.intended(name) / 1000 - begin, at - probes.intended(name) / 1000) for name, at in seen.items()]
    plain = [latency for _, latency in latencies] or [float("inf")]
    steady = probes.flat(latencies, seconds) and sent == len(seen) and summary["behind_s"] <= MOST_BEHIND_S
    steady = steady and summary["drained_s"] <= MOST_DRAIN_SHARE * seconds + MOST_DRAIN_S
    shares = {f"p{share * 100:g}_s": round(percentile(plain, share), 3) for share in (0.5, 0.99, 0.999)}
    rest = {"behind_s": summary["behind_s"], "drained_s": round(summary["drained_s"], 1)}
    return {"probes": sent, "probes_seen": len(seen), **shares, **rest, "flat": steady}


def _drained(settings: Settings) -> float:
    """When no stage is behind any more, journey and sink neither; seconds since epoch. Raises LagUnknown, BenchFailed."""
    deadline = time.monotonic() + IDLE_S
    while any(one.lag for one in lag.measure(endpoints.kafka(settings), settings).values()):
        if time.monotonic() > deadline:
            raise BenchFailed(f"the stages are behind for more than {IDLE_S:g} s after the last record")
    return time.time()


def _watched(
    settings: Settings, sender: "subprocess.Popen[str]", name: str, every: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """When each probe was first seen (seconds since epoch), and what the sender said in the end.

    Each look asks only for probes from the first one on that is missing, so that looking takes the engine little.
    """
    keyring = Keyring(SECRET.encode())
    cells = tuple(keyring.cell("customer", f"probe-{n}") for n in range(probes.PROBE_PERSONS))
    seen: dict[str, float] = {}
    since, database = int(1000 * time.time()), ClickHouse(settings)
    summary: dict[str, Any] = {}
    deadline = float("inf")
    try:
        while time.monotonic() < deadline:
            unseen_from = max(since, probes.all_seen_until(seen, every))
            rows = database.query(SEEN_SQL, {"cells": cells, "since": unseen_from, "run": f"probe-{name}-"})
            now = time.time()
            for (event_id,) in rows:
                seen.setdefault(event_id, now)
            if summary and len(seen) >= summary["probes"]:
                break
            if not summary and sender.poll() is not None:
                summary, deadline = _said(sender), time.monotonic() + DRAIN_S
            time.sleep(POLL_S)
    finally:
        database.close()
    return seen, summary


def _said(sender: "subprocess.Popen[str]") -> dict[str, Any]:
    if sender.returncode or sender.stdout is None:
        raise BenchFailed(f"the sender ended with {sender.returncode}")
    return dict(json.loads(sender.stdout.read().splitlines()[-1]))
