"""`touchstream bench`: how fast touchstream is on this machine, alone and beside others."""

import os
import platform
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import pipeline
from pipeline import bench as benchmark
from pipeline.cli.output import EX_SOFTWARE, EX_UNAVAILABLE, EX_USAGE, as_json, err, fail, out, settings

ROOT = Path(pipeline.__file__).parents[1]


class Workload(StrEnum):
    """What can be measured."""

    core = "core"
    peers = "peers"
    journey = "journey"
    path = "path"
    sink = "sink"
    pipeline = "pipeline"
    restore = "restore"
    state = "state"
    failover = "failover"
    flood = "flood"
    hotkey = "hotkey"
    guarantees = "guarantees"
    all = "all"


def bench(
    workload: Annotated[
        Workload, typer.Argument(help="What to measure; core needs neither Kafka nor ClickHouse.")
    ] = Workload.core,
    *,
    events: Annotated[
        int | None,
        typer.Option(
            "--events", "--records", min=1000, help="Touchpoints in each round; default 400000, for core 50000."
        ),
    ] = None,
    slow_events: Annotated[
        int, typer.Option(min=1000, help="Touchpoints for the peers that handle one event at a time in Python.")
    ] = 40_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, interleaved.")] = 5,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal touchpoints.")] = 1,
    rate: Annotated[
        float, typer.Option(min=1, help="pipeline: records a second at which latency is measured.")
    ] = 2000.0,
    seconds: Annotated[int, typer.Option(min=3, help="pipeline: length of each trial.")] = 60,
    steps: Annotated[int, typer.Option(min=1, help="pipeline: trials on the way to the highest rate.")] = 5,
    persons: Annotated[str, typer.Option(help="restore: numbers of persons, by comma.")] = "10000,100000,1000000",
    only: Annotated[str, typer.Option(help="peers: only programs whose names hold this, such as faust.")] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Small counts, 3 rounds: a look, no figures to quote.")
    ] = False,
    out_dir: Annotated[
        Path, typer.Option("--out", help="Folder for raw results, inputs and the bench's own servers.")
    ] = Path(".touchstream-bench"),
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON, with every round.")] = False,
) -> None:
    """Measure touchstream on this machine.

    core: the stages' own work, in process. peers: the reference job beside Faust, Quix Streams, Bytewax and Kafka Streams, equal
    answers first. journey, path, sink, pipeline, flood, restore (and state, the same), failover, hotkey, guarantees: one by one.
    all: everything but core. Raw results go to --out; tests/bench/README.md says what each figure means.

    Examples: touchstream bench  ·  touchstream bench peers --quick  ·  touchstream bench pipeline --rate 5000 --seconds 30
    """
    if workload is Workload.core:
        _core(events or 50_000, rounds, json)
        return
    measuring = _measuring()
    sizes = _sizes(persons)
    options = measuring.Options(
        out_dir.absolute(), events or 400_000, slow_events, rounds, seed, rate, seconds, steps, sizes, only
    )
    if quick:
        options = options.quick()
    try:
        path, runs = measuring.measure(
            workload.value, options, lambda line: err.print(line, markup=False, highlight=False)
        )
    except measuring.BenchFailed as error:
        fail(str(error), EX_SOFTWARE)
    if json:
        as_json({"raw": str(path), "runs": runs})
        return
    out.print(
        f"raw results: {path.parent}  (a page of them: python -m tests.bench.report {path.parent})", soft_wrap=True
    )


def _measuring() -> Any:
    """The bench itself, which lies beside the tests and is in no wheel."""
    if not (ROOT / "tests" / "bench" / "main.py").exists():
        fail("this workload needs touchstream's source tree; `touchstream bench core` works everywhere", EX_UNAVAILABLE)
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return import_module("tests.bench.main")


def _sizes(persons: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in persons.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        fail(f"--persons takes numbers with commas between them, such as 10000,100000, not {persons!r}", EX_USAGE)
    return found


def _core(records: int, rounds: int, json: bool) -> None:
    load = os.getloadavg()[0]
    with err.status("measuring"):
        figures = benchmark.measure(settings(), records, rounds)
    if json:
        machine = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "load": load,
        }
        rows = [
            {"what": f.what, "records": f.records, "median": round(f.median), "rounds": list(map(round, f.rounds))}
            for f in figures
        ]
        as_json({**machine, "figures": rows})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("work", "records a core-second", "least", "most"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for f in figures:
        table.add_row(f.what, *(f"{n:,.0f}".replace(",", " ") for n in (f.median, min(f.rounds), max(f.rounds))))
    out.print(table)
    out.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} before it began")
