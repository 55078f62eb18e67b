"""Touchstream beside other stream processors."""

from tests.bench.broker import BenchFailed
from tests.bench.session import Bench
from tests.bench.surroundings import kafka_streams, python
from tests.bench.systems import Job, peers, touchstreams
from tests.bench.workloads.compare import interleaved, prepared
from tests.bench.workloads.stages import codecs


def run(bench: Bench) -> None:
    """Every program that can be had here does both jobs, interleaved; fast ones over the long input, the others over the short.

    Raises BenchFailed when no program is left.
    """
    programs = [*touchstreams(codecs()), *peers(python(bench.say), kafka_streams(bench.say))]
    wanted = [system for system in programs if bench.options.only.lower() in system.name.lower()]
    if not wanted:
        raise BenchFailed(
            f"no program is called {bench.options.only!r}; there are {', '.join(s.name for s in programs)}"
        )
    with bench.kafka():
        entries = []
        for job in (Job("journey"), Job("path")):
            long, short = (prepared(bench, job, n) for n in (bench.options.events, bench.options.slow_events))
            entries += [(system, long if system.fast else short) for system in wanted]
        interleaved(bench, "peers", entries)
