"""Programs side by side: the same job over the same topics, in interleaved rounds (A B C A B C)."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from tests.bench import topics_io
from tests.bench.broker import BenchFailed
from tests.bench.inputs import Input
from tests.bench.runs import Task, run
from tests.bench.session import Bench
from tests.bench.systems import Job, System, Where

# A program that needs longer for so many events has come to a halt.
SLOWEST_EVENTS_PER_S: Final = 150
PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A job with its input on its topic, under a prefix of its own."""

    job: Job
    input: Input
    prefix: str

    @property
    def events(self) -> int:
        """How many records there are to read."""
        return len(self.input.raw if self.job.deduplicates else self.input.resolved)


def prepared(bench: Bench, job: Job, events: int, hot: float = 0.0) -> Ready:
    """Topics and input for a job."""
    ready = Ready(job, bench.input(events, hot), f"{job.name}-{events}-{round(100 * hot)}.")
    topics_io.create(bench.bootstrap, topics_io.ours(ready.prefix))
    pairs = ready.input.raw if job.deduplicates else ready.input.resolved
    topics_io.fill(bench.bootstrap, ready.prefix + job.source, pairs)
    return ready


def measured(bench: Bench, system: System, ready: Ready) -> dict[str, Any]:
    """One run; one that fails says why in `failed`."""
    where = Where(
        bench.bootstrap,
        f"run-{uuid.uuid4().hex[:10]}",
        bench.options.out / "runs",
        ready.prefix,
        ready.prefix + ready.job.source,
    )
    names = ready.input.persons if ready.job.deduplicates else {}
    patience = PATIENCE_S + ready.events / SLOWEST_EVENTS_PER_S
    try:
        return run(system, Task(ready.job, ready.events, ready.input.expected, names, patience), where)
    except BenchFailed as failed:
        return {"system": system.name, "job": ready.job.name, "failed": str(failed)}


def interleaved(bench: Bench, workload: str, entries: Iterable[tuple[System, Ready]], **more: Any) -> None:
    """Every program once in each round; one that has failed is not tried again."""
    left = list(entries)
    for number in range(bench.options.rounds):
        for system, ready in list(left):
            bench.say(f"round {number + 1} of {bench.options.rounds}: {system.name}, {ready.job.name}")
            found = measured(bench, system, ready)
            bench.record(workload, {**found, "round": number + 1, **more})
            if "failed" in found:
                left.remove((system, ready))
