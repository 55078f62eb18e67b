"""One run of one program over one input: started, watched until its answers are complete, ended, and its answers compared."""

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fastavro

from tests.bench import ours, topics_io
from tests.bench.answers import Answers, differences, of_values, renamed, touchpoints
from tests.bench.broker import BenchFailed, stop
from tests.bench.machine import load
from tests.bench.meter import Meter
from tests.bench.systems import HERE, Job, System, Where

POLL_S: Final = 0.25
QUIET_S: Final = 1.5
# What a broker does after topics are deleted and made would otherwise be done while the next program is measured.
SETTLE_S: Final = 1.0
VIEWS: Final = "customers.v1"
ANSWER: Final = fastavro.schema.load_schema(str(HERE / "answer.avsc"))


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: the job, over how many events, with which answers, within which time in seconds.

    `persons` names the person of each key where keys are not persons.
    """

    job: Job
    events: int
    expected: Answers
    persons: dict[str, str]
    timeout_s: float = 300.0


def run(system: System, task: Task, where: Where) -> dict[str, Any]:
    """One run's figures. `equal` tells whether the answers are those of the oracle: only then do the figures count."""
    folder = where.folder / where.run
    folder.mkdir(parents=True, exist_ok=True)
    _fresh(system, task.job, where)
    time.sleep(SETTLE_S)
    before = load()
    with ExitStack() as stack:
        log = folder / "out.log"
        processes = _started(system, task, where, log)
        for process in processes:
            stack.callback(stop, process)
        meter = stack.enter_context(Meter([process.pid for process in processes]))
        begun = _begun(system, processes, log, task.timeout_s)
        latest, ended = _watched(system, task, where, processes, begun)
        found = ours.answers(where.bootstrap, where.prefix) if system.ours else of_values(latest.values, ANSWER)
    _clean(system, where)
    wrong = differences(task.expected, renamed(found, task.persons) if not system.ours and task.persons else found)
    seconds, cpu = ended - begun, meter.cpu(begun, ended)
    return {
        "system": system.name,
        "guarantee": system.guarantee,
        "job": task.job.name,
        "events": task.events,
        "equal": not wrong,
        "differences": wrong,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "events_per_s": round(task.events / seconds, 1),
        "events_per_core_s": round(task.events / cpu, 1),
        "peak_bytes": meter.peak(),
        "load_before": before,
    }


def _fresh(system: System, job: Job, where: Where) -> None:
    """Nothing of an earlier run: result topics, changelogs and offsets."""
    if not system.ours:
        made = {f"{where.run}-{name}": {"cleanup.policy": "compact"} for name in system.changelogs}
        topics_io.create(where.bootstrap, {where.result: topics_io.BROKER_TIME, **made})
        return
    topics_io.delete(where.bootstrap, groups=[f"{where.prefix}{stage}" for stage in ("resolve", "journey")])
    topics_io.create(where.bootstrap, topics_io.ours(where.prefix, without={job.source}))


def _started(system: System, task: Task, where: Where, log: Path) -> "list[subprocess.Popen[bytes]]":
    environment = system.environment(task.job, where)
    with log.open("ab") as out:
        return [
            subprocess.Popen(
                command, env=environment, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
            for command in system.commands(task.job)
        ]


def _begun(system: System, processes: "list[subprocess.Popen[bytes]]", log: Path, timeout_s: float) -> float:
    """When the first record was taken in hand, seconds since epoch; what comes before is start-up and does not count."""
    deadline = time.monotonic() + timeout_s
    while not system.begun.search(log.read_bytes()):
        _check(system, processes, log)
        if time.monotonic() > deadline:
            raise BenchFailed(f"{system.name} took no record within {timeout_s:g} s: {log}")
        time.sleep(0.01)
    return time.time()


def _check(system: System, processes: "list[subprocess.Popen[bytes]]", log: Path) -> None:
    for process in processes:
        if process.poll() is not None:
            raise BenchFailed(f"{system.name} ended by itself with {process.returncode}: {log} says why")


def _watched(
    system: System, task: Task, where: Where, processes: "list[subprocess.Popen[bytes]]", begun: float
) -> tuple[topics_io.Latest, float]:
    """Until the answers are complete, or the time is up; the broker's time of the last one, seconds since epoch."""
    topic = where.prefix + VIEWS if system.ours else where.result
    wanted, log = touchpoints(task.expected), where.folder / where.run / "out.log"
    latest, last, since = topics_io.Latest(), -1, time.monotonic()
    deadline = time.monotonic() + task.timeout_s
    with topics_io.Ends(where.bootstrap, topic) as ends:
        while time.monotonic() < deadline:
            time.sleep(POLL_S)
            _check(system, processes, log)
            now = ends.total()
            if now != last:
                last, since = now, time.monotonic()
            elif now and time.monotonic() - since > QUIET_S:
                topics_io.read_on(where.bootstrap, topic, latest)
                if touchpoints(_seen(system, latest)) >= wanted:
                    return latest, max(latest.last_at / 1000, begun + 0.001)
                since = time.monotonic()
    topics_io.read_on(where.bootstrap, topic, latest)
    return latest, max(latest.last_at / 1000, begun + 0.001)


def _seen(system: System, latest: topics_io.Latest) -> Answers:
    return ours.viewed(latest.values.values()) if system.ours else of_values(latest.values, ANSWER)


def _clean(system: System, where: Where) -> None:
    if not system.ours:
        topics_io.delete(where.bootstrap, topics_io.of_run(where.bootstrap, where.run))
