"""`touchstream status`: processes, lag, rates."""

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline import endpoints, lag, supervisor, targets
from pipeline.cli.output import as_json, out, settings
from pipeline.config import Settings

SAMPLE_S = 1.0


def status(json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> None:
    """Show where everything listens, how the processes fare, and how far each stage is behind.

    Example: touchstream status --json
    """
    chosen = settings()
    found = gather(chosen)
    if json:
        as_json(found)
    else:
        _show(found)
    if not found["processes"] and not found["kafka"]:
        raise typer.Exit(1)


def gather(chosen: Settings) -> dict[str, Any]:
    """Everything that `status` tells. Lag is in records, rates in records per second over one second."""
    known, running = endpoints.known(chosen), supervisor.status(chosen) or {"processes": []}
    found: dict[str, Any] = {
        "kafka": known.kafka,
        "clickhouse": known.clickhouse,
        "serve": known.serve,
        "intake": known.intake,
        "processes": running["processes"],
        "metrics": targets.metrics(chosen) if running["processes"] else {},
        "lag": {},
        "rates": {},
    }
    if known.kafka:
        try:
            found["lag"], found["rates"] = _sample(known.kafka, chosen)
        except lag.LagUnknown as trouble:
            found["trouble"] = str(trouble)
    return found


def _sample(bootstrap: str, chosen: Settings) -> tuple[dict[str, int], dict[str, float]]:
    before, made, at = lag.measure(bootstrap, chosen), lag.produced(bootstrap, chosen), time.monotonic()
    time.sleep(SAMPLE_S)
    after, made_now = lag.measure(bootstrap, chosen), lag.produced(bootstrap, chosen)
    seconds = time.monotonic() - at
    rates = {"produced": round((made_now - made) / seconds, 1)}
    rates |= {name: round((after[name].committed - before[name].committed) / seconds, 1) for name in after}
    return {name: position.lag for name, position in after.items()}, rates


def _show(found: dict[str, Any]) -> None:
    if not found["processes"]:
        out.print("nothing runs here; `touchstream up` starts it")
    for name in ("serve", "intake", "kafka", "clickhouse"):
        if found[name]:
            out.print(f"{name:11}{found[name]}")
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "pid", "state", "restarts", "lag", "per second"):
        table.add_column(heading, justify="left" if heading in ("process", "state") else "right")
    for process in found["processes"]:
        name = process["name"]
        more = (found["lag"].get(name, ""), found["rates"].get(name, ""))
        table.add_row(name, str(process["pid"] or ""), process["state"], str(process["restarts"]), *map(str, more))
    if found["processes"]:
        out.print(table)
    if "trouble" in found:
        out.print(found["trouble"])
