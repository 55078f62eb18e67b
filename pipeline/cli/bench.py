"""`touchstream bench`: the stages' own work on this machine."""

import os
import platform
from typing import Annotated

import typer
from rich.table import Table

from pipeline import bench as benchmark
from pipeline.cli.output import as_json, err, out, settings


def bench(
    records: Annotated[int, typer.Option(min=1000, help="Touchpoints in each round.")] = 50_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, interleaved.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON, with every round.")] = False,
) -> None:
    """Measure decoding, folding and encoding of each stage, in records a core-second, without Kafka and ClickHouse.

    Example: touchstream bench --records 50000 --rounds 5
    """
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
