"""How large a person's state is, and how long a journey process with so many persons takes from its start to its first output.

The persons are copies of some that a real run has left in the changelog, under names of their own.
"""

import itertools
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pipeline.config import Settings
from tests.bench import broker, topics_io
from tests.bench.broker import BenchFailed
from tests.bench.inputs import Input
from tests.bench.machine import load
from tests.bench.meter import Meter
from tests.bench.session import Bench
from tests.bench.systems import Job, touchstreams
from tests.bench.workloads.compare import measured, prepared

CHANGELOG: Final = "state.journey.v1"
MARKER: Final = b"\0applied"
BASE_EVENTS: Final = 10_000
TIMEOUT_S: Final = 300.0
SETTLE_S: Final = 3.0
# Where a version saves its state beside the changelog, so often; and the wait until it surely has.
SAVE_S: Final = 3.0
Pairs = list[tuple[bytes, bytes]]


def run(bench: Bench) -> None:
    """Each size once: a start from the changelog alone, and a second one of the same home."""
    with bench.kafka() as kafka:
        base = prepared(bench, Job("journey"), BASE_EVENTS)
        bench.say("making states")
        found = measured(bench, touchstreams(())[0], base)
        if not found.get("equal"):
            raise BenchFailed(f"the journey stage made no states: {found}")
        changelog = topics_io.read_on(kafka, base.prefix + CHANGELOG, topics_io.Latest()).values
        states = [(key, value) for key, value in changelog.items() if key != MARKER and value]
        empty = _size(bench, base.input, states, 0)
        for persons in bench.options.persons:
            bench.say(f"{persons:,} persons")
            first, again = _size(bench, base.input, states, persons)
            each = (first["resident_bytes"] - empty[0]["resident_bytes"]) / persons
            packed = sum(len(k) + len(v) for k, v in itertools.islice(_copies(states, persons), persons)) / persons
            sizes = {"persons": persons, "bytes_per_person": round(each), "packed_bytes_per_person": round(packed)}
            bench.record("restore", {"system": "from the changelog", **sizes, **first})
            bench.record("restore", {"system": "second start, same home", "persons": persons, **again})


def _copies(states: Pairs, persons: int) -> Iterator[tuple[bytes, bytes]]:
    endless = ((key + b"-%d" % copy, value) for copy in itertools.count() for key, value in states)
    return itertools.islice(endless, persons)


def _size(bench: Bench, source: Input, states: Pairs, persons: int) -> tuple[dict[str, Any], dict[str, Any]]:
    name = f"restore-{uuid.uuid4().hex[:10]}"
    prefix, home = f"{name}.", bench.options.out / "runs" / name
    configs = topics_io.ours(prefix)
    topics_io.create(bench.bootstrap, configs)
    topics_io.fill(bench.bootstrap, prefix + CHANGELOG, _copies(states, persons))
    values = {"kafka_bootstrap": bench.bootstrap, "topic_prefix": prefix}
    if "state_save_s" in Settings.model_fields:
        values["state_save_s"] = f"{SAVE_S:g}"
    try:
        return _start(bench, source.resolved[:200], values, home), _start(bench, source.resolved[200:400], values, home)
    finally:
        topics_io.delete(bench.bootstrap, configs)


def _start(bench: Bench, events: Pairs, values: dict[str, str], home: Path) -> dict[str, Any]:
    """From the start of the process, with a few events of new persons waiting on every partition, to its outputs."""
    topic = values["topic_prefix"] + "customers.v1"
    topics_io.fill(bench.bootstrap, values["topic_prefix"] + "touchpoints.resolved.v1", events)
    before, ends_before = load(), topics_io.ends(bench.bootstrap, topic)
    begun = time.time()
    with broker.started(home, "journey", **values) as process, Meter([process.pid]) as meter:
        first, last = _outputs(bench.bootstrap, topic, ends_before, process)
        time.sleep(max(SETTLE_S, 2 * SAVE_S if "state_save_s" in values else 0.0))
        resident = meter.resident[-1][1]
        process.send_signal(signal.SIGTERM)
        process.wait(broker.STOP_TIMEOUT_S)
    return {
        "first_output_s": round(first - begun, 2),
        "all_partitions_s": round(last - begun, 2),
        "resident_bytes": resident,
        "peak_bytes": meter.peak(),
        "load_before": before,
    }


def _outputs(
    bootstrap: str, topic: str, before: dict[int, int], process: "subprocess.Popen[bytes]"
) -> tuple[float, float]:
    """When the first partition and when the last one had an output, seconds since epoch."""
    deadline, first = time.monotonic() + TIMEOUT_S, 0.0
    with topics_io.Ends(bootstrap, topic) as ends:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BenchFailed(f"journey ended by itself with {process.returncode}")
            now = ends.by_partition()
            moved = [partition for partition, end in now.items() if end > before[partition]]
            first = first or (time.time() if moved else 0.0)
            if len(moved) == len(now):
                return first, time.time()
            time.sleep(0.02)
    raise BenchFailed(f"no output of every partition within {TIMEOUT_S:g} s")
