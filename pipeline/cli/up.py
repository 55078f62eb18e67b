"""`touchstream up`: everything, supervised."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from deploy.embedded import tether
from deploy.embedded.kafka_errors import EmbeddedKafkaError
from deploy.embedded.kafka_jars import ensure_jars
from pipeline import endpoints, supervisor
from pipeline.cli.output import EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE, err, fail, out, settings
from pipeline.config import PREFIX, PROBE_INTERVAL_S, Settings
from pipeline.endpoints import Endpoints

READY_TIMEOUT_S = 180.0


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready; `touchstream down` ends it.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure the whole path with a touchpoint of its own every ten seconds.")
    ] = False,
) -> None:
    """Start Kafka, ClickHouse, the stages, the sink, the board and the intake, and keep them running.

    Example: touchstream up --detach
    """
    chosen = settings()
    if probe and not chosen.probe_interval_s:
        os.environ[f"{PREFIX}PROBE_INTERVAL_S"] = str(PROBE_INTERVAL_S)  # so every process of it knows
        chosen = settings()
    fetch_kafka(chosen)
    if detach:
        show(start_detached(chosen))
        return
    run_here(chosen, show)


def fetch_kafka(chosen: Settings) -> None:
    """Have Kafka's jars at hand, with a progress bar while they come; ends the command when they cannot be had."""
    if chosen.kafka_bootstrap:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    try:
        with Progress(*columns, console=err, transient=True) if err.is_terminal else nullcontext() as bar:
            task = bar.add_task("Kafka", total=None, visible=False) if bar else None

            def progress(done: int, total: int, what: str) -> None:
                if bar and task is not None:
                    bar.update(task, completed=done, total=total, description=f"Kafka: {what}", visible=True)

            ensure_jars(chosen.kafka_jars, progress)
    except EmbeddedKafkaError as error:
        fail(str(error), EX_UNAVAILABLE)


def run_here(chosen: Settings, on_ready: Callable[[Endpoints], None], *, echo: bool = True) -> None:
    """Supervise in the foreground until Ctrl-C."""
    try:
        line = (lambda text: err.print(text, markup=False)) if echo else None
        supervisor.Supervisor(chosen, line).run(on_ready)
    except supervisor.AlreadyRunning as error:
        fail(str(error), EX_USAGE)
    except supervisor.StartFailed as error:
        fail(str(error), EX_UNAVAILABLE)


def start_detached(chosen: Settings, *, bound: bool = False) -> Endpoints:
    """Start a supervisor of its own and wait until all is ready; ends the command when that fails.

    One that is `bound` ends when this process does, however that comes about.
    """
    if supervisor.status(chosen) is not None:
        fail(f"touchstream runs already on {chosen.home.absolute()}: `touchstream status` shows it", EX_USAGE)
    errors = chosen.home / "run" / "supervisor.err"
    errors.parent.mkdir(parents=True, exist_ok=True)
    endpoints.path(chosen).unlink(missing_ok=True)  # one that was killed has left its addresses
    binding = [str(Path(tether.__file__)), str(os.getpid()), sys.executable] if bound else []
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *binding, "-m", "pipeline.cli.main", "up"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            env={**os.environ, "TOUCHSTREAM_HOME": str(chosen.home.absolute())},
        )
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not (known := endpoints.known(chosen)).serve:
        if process.poll() is not None:
            fail(_last_words(errors), EX_UNAVAILABLE)
        if time.monotonic() > deadline:
            process.terminate()
            fail(f"not ready within {READY_TIMEOUT_S:g} s; {chosen.home}/touchstream.log may say why", EX_TEMPFAIL)
        time.sleep(0.1)
    return known


def show(known: Endpoints) -> None:
    """Say where everything listens."""
    out.print(f"board       {known.serve}")
    out.print(f"intake      {known.intake}/v1/touchpoints")
    out.print(f"kafka       {known.kafka}")
    out.print(f"clickhouse  {known.clickhouse}")


def _last_words(path: Path) -> str:
    lines = [
        line.removeprefix("touchstream: ") for line in path.read_text(errors="replace").splitlines() if line.strip()
    ]
    return lines[-1] if lines else "the supervisor ended without a word"
