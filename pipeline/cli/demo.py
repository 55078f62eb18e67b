"""`touchstream demo`: from nothing to a filling board."""

import json as jsonlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Annotated, Any

import typer

from pipeline import accounting, supervisor
from pipeline.cli.accounts import reading
from pipeline.cli.output import as_json, err, fail, out, settings
from pipeline.cli.up import fetch_kafka, start_detached
from pipeline.cli.wait import until_idle
from pipeline.config import Settings
from pipeline.endpoints import Endpoints
from pipeline.reconcile import total
from pipeline.replay import datasets
from sinks.clickhouse import ClickHouse

DATASETS = ("ecom", "cdnow")
STOP_TIMEOUT_S = 60.0
IDLE_TIMEOUT_S = 300.0


def demo(
    once: Annotated[bool, typer.Option("--once", help="End by itself, with a summary.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON document, as the last line.")
    ] = False,
    rate: Annotated[float, typer.Option(min=1, help="Simulated touchpoints a second.")] = 100,
) -> None:
    """Start everything, replay two real data sets, simulate a minute of contacts on all channels, and account for every record.

    Without --once the simulation then goes on live until Ctrl-C.
    Example: touchstream demo --once --json
    """
    chosen = settings()
    began = time.monotonic()
    fetching = Thread(target=_fetch_datasets, args=(chosen,), daemon=True)
    fetching.start()
    fetch_kafka(chosen)
    with _everything(chosen) as known:
        err.print(f"everything runs after {time.monotonic() - began:.1f} s; the board: {known.serve}")
        fetching.join()
        for name in DATASETS:
            err.print(f"replaying {name}: {_touchstream('replay', name, '--json')['sent']:,} touchpoints")
        minute = _touchstream("simulate", "--for", "60s", "--speed", "max", "--rate", str(rate), "--json")
        err.print(
            f"simulating a minute of contacts: {minute['sent']:,} records, with duplicates, late and invalid ones"
        )
        until_idle(chosen, IDLE_TIMEOUT_S)
        summary = {**_summary(chosen), "serve": known.serve, "seconds": round(time.monotonic() - began, 1)}
        _show(summary, json=json)
        if not once:
            _live(known, rate)
    if summary["unexplained"]:
        raise typer.Exit(1)


@contextmanager
def _everything(chosen: Settings) -> Iterator[Endpoints]:
    known = start_detached(chosen, bound=True)
    try:
        yield known
    finally:
        running = supervisor.status(chosen)
        if running and running["pid"]:
            err.print("stopping")
            os.kill(running["pid"], signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while supervisor.status(chosen) is not None and time.monotonic() < deadline:
                time.sleep(0.1)


def _fetch_datasets(chosen: Settings) -> None:
    for name in DATASETS:
        try:
            datasets.fetched(datasets.listed()[name], chosen.home / "datasets")
        except datasets.DatasetError:
            return  # the replay will say it, with what to do


def _touchstream(*arguments: str) -> dict[str, Any]:
    """Run a command of ours as a user would; its errors are shown as they are, and end the demo with its code."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    found: dict[str, Any] = jsonlib.loads(done.stdout.splitlines()[-1])
    return found


def _summary(chosen: Settings) -> dict[str, Any]:
    with reading("accounting for every record") as progress:
        whole = total(accounting.accounts(chosen, progress))
        database = ClickHouse(chosen)
        persons, sessions = database.query(
            "SELECT (SELECT count() FROM customers FINAL), (SELECT count() FROM sessions FINAL)"
        )[0]
        database.close()
    return {
        "produced": whole["received"],
        "stored": whole["stored"],
        "rejected": whole["rejected"],
        "duplicates": whole["duplicate"],
        "unexplained": whole["unexplained"],
        "persons": persons,
        "sessions": sessions,
    }


def _show(summary: dict[str, Any], *, json: bool) -> None:
    if json:
        as_json(summary)
        return
    out.print(
        "produced {produced:,} = stored {stored:,} + rejected {rejected:,} + duplicates {duplicates:,}; "
        "unexplained {unexplained}".format(**summary)
    )
    out.print("{persons:,} persons, {sessions:,} sessions, after {seconds} s".format(**summary))


def _live(known: Endpoints, rate: float) -> None:
    err.print(f"simulating live at {rate:g} touchpoints a second until Ctrl-C; the board: {known.serve}")
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli.main", "simulate", "--rate", str(rate)])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        return
    if code not in (0, 130):
        fail("the simulation ended; what it said stands above", code)
