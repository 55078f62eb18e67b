"""The sink: rows a core-second into the real engine, from topics that are full before it starts."""

import itertools
import subprocess
import time
from typing import Any, Final

from pipeline import lag, ready, supervisor
from pipeline.config import Settings
from sinks.rows import TABLES
from tests.bench import broker, topics_io
from tests.bench.broker import BenchFailed
from tests.bench.machine import load
from tests.bench.meter import Meter
from tests.bench.session import Bench
from tests.bench.systems import Job, touchstreams
from tests.bench.workloads.compare import measured, prepared
from tests.bench.workloads.stages import codecs

POLL_S: Final = 0.2
TIMEOUT_S: Final = 300.0


def run(bench: Bench) -> None:
    """Resolved touchpoints and everything that the journey stage makes of them, inserted anew in every round."""
    out = bench.options.out
    with bench.kafka() as kafka, broker.running(out / "clickhouse", "clickhouse") as clickhouse:
        topics = prepared(bench, Job("journey"), bench.options.events)
        bench.say("filling the topics that the sink reads")
        filled = measured(bench, touchstreams(())[0], topics)
        if not filled.get("equal"):
            raise BenchFailed(f"the journey stage did not fill the topics: {filled}")
        records = _records(kafka, topics.prefix)
        for number, codec in itertools.product(range(bench.options.rounds), ("auto", *codecs())):
            found = _round(bench, topics.prefix, clickhouse, codec)
            cpu, seconds = found["cpu_seconds"], found["seconds"]
            rates = {"rows_per_s": round(records / seconds, 1), "rows_per_core_s": round(records / cpu, 1)}
            bench.record("sink", {**found, "records": records, **rates, "round": number + 1})


def _records(kafka: str, prefix: str) -> int:
    count = 0

    def take(values: list[bytes]) -> None:
        nonlocal count
        count += len(values)

    for topic in TABLES:
        topics_io.each(kafka, prefix + topic, take)
    return count


def _round(bench: Bench, prefix: str, clickhouse: str, codec: str) -> dict[str, Any]:
    home = bench.options.out / "runs" / f"sink-{time.time_ns()}"
    values = {
        "kafka_bootstrap": bench.bootstrap,
        "clickhouse_address": clickhouse,
        "clickhouse_database": f"bench_{time.time_ns()}",
        "topic_prefix": prefix,
        "codec": codec,
    }
    settings = broker.settings(home, **values)
    topics_io.delete(bench.bootstrap, groups=[f"{prefix}sink"])
    supervisor.prepare(settings)
    before = load()
    with broker.started(home, "sink", **values) as process, Meter([process.pid]) as meter:
        begun, ended = _watched(settings, process)
    return {
        "system": "touchstream sink" if codec == "auto" else f"touchstream sink, {codec}",
        "seconds": round(ended - begun, 3),
        "cpu_seconds": round(meter.cpu(begun, ended), 3),
        "peak_bytes": meter.peak(),
        "load_before": before,
    }


def _watched(settings: Settings, process: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """From the assignment of partitions until the last offset is committed, seconds since epoch."""
    deadline, begun = time.monotonic() + TIMEOUT_S, 0.0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchFailed(f"the sink ended by itself: {settings.home}/sink.out says why")
        if not begun:
            begun = time.time() if ready.heard(settings, "sink") is not None else 0.0
            time.sleep(0.01)
            continue
        if lag.measure(settings.kafka_bootstrap, settings, ("sink",))["sink"].lag == 0:
            return begun, time.time()
        time.sleep(POLL_S)
    raise BenchFailed(f"the sink was not done within {TIMEOUT_S:g} s")
