"""The big run: many random kills while many events flow, then every invariant. Writes a log that can be kept.

`python -m tests.faults.run --seed 7 --events 1000000 --kills 100 --log FILE`
"""

import argparse
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from deploy.embedded.kafka_jars import load_manifest
from tests.faults.invariants import check
from tests.faults.watch import Watch
from tests.harness.chaos import Chaos, Fault, Kind, schedule
from tests.harness.rig import STAGES, Rig
from tests.harness.sending import Sending
from tests.harness.truth import Truth

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("faust-streaming", "aiokafka", "kafka-python", "clickhouse-driver", "chdb")
REST_S: Final = 600.0
# A look takes longer the more there is.
WATCH_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for; `rate` is records a second."""

    seed: int
    events: int
    kills: int
    rate: float
    folder: Path


def environment() -> list[str]:
    """Machine and versions, without anything that names them."""
    described = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    commit = subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    memory = psutil.virtual_memory().total / (1 << 30)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"date       {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
        f"commit     {commit or 'unknown'}",
        f"machine    {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}",
        f"load       {os.getloadavg()[0]:.1f} before the run",
        f"versions   Python {platform.python_version()}, Kafka {load_manifest().kafka}, {packages}",
    ]


def run(plan: Plan, say: Callable[[str], None]) -> bool:
    """Carry the plan out; whether every invariant held."""
    seconds = plan.events / plan.rate
    faults = schedule(plan.seed, [Kind.KILL], plan.kills, seconds) if plan.kills else []
    say(f"plan       seed {plan.seed}, {plan.events} events at {plan.rate:g} a second, {plan.kills} kills")
    began = time.monotonic()
    truth = Truth().add(plan.seed, plan.events, plan.events)
    with Rig(plan.folder, heap_mb=768) as rig, Watch(rig, every_s=WATCH_S) as watch:
        load = Sending(rig, plan.seed, plan.rate, plan.events).begin()
        chaos = Chaos(rig, lambda text: say(f"{text}, {load.sent} sent"))
        chaos.run(faults)
        sent = load.end(seconds + REST_S)
        say(f"sent       {sent.sent} records in {sent.seconds:.1f} s, all acknowledged; {rig.stored()} stored by then")
        say(f"kills      {chaos.done}: " + _counted(fault.target for fault in faults))
        findings = check(rig, truth, watch, plan.seed, REST_S, say=say)
        findings.add("I6", "no process ended but by a kill", _ends(rig, faults))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"took       {time.monotonic() - began:.1f} s with the checks, which took at most {memory:.0f} MiB")
    say("result     every invariant holds" if findings.held else "result     BROKEN")
    return findings.held


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items())) or "none"


def _ends(rig: Rig, faults: Sequence[Fault]) -> list[str]:
    """Stages that did not end as often as they were killed, or otherwise."""
    killed = Counter(fault.target for fault in faults)
    ends = {stage: Counter(rig.keeper.kept[stage].ends) for stage in STAGES}
    return [
        f"{stage}: {dict(found)}" for stage, found in ends.items() if found != Counter({-signal.SIGKILL: killed[stage]})
    ]


def main() -> int:
    """The command line: 0 when every invariant held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="default: a new one")
    parser.add_argument("--events", type=int, default=1_000_000, help="records to send")
    parser.add_argument("--kills", type=int, default=100, help="kill -9 of resolve, journey and sink, at random times")
    parser.add_argument("--rate", type=float, default=1500.0, help="records a second")
    parser.add_argument("--log", type=Path, help="also write everything that is said to this file")
    parser.add_argument(
        "--folder", type=Path, help="where to keep data and logs (default: a directory that is removed)"
    )
    given = parser.parse_args()
    lines: list[str] = []
    if given.log:
        given.log.parent.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if given.log:
            given.log.write_text("\n".join(lines) + "\n")

    for line in environment():
        say(line)
    with tempfile.TemporaryDirectory(prefix="touchstream-faults-") as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return 0 if run(Plan(given.seed, given.events, given.kills, given.rate, folder), say) else 1


if __name__ == "__main__":
    sys.exit(main())
