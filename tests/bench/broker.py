"""The bench's own Kafka: one process for all runs, not counted with any program."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pipeline import ready
from pipeline.config import PREFIX, Settings

START_TIMEOUT_S: Final = 180.0
STOP_TIMEOUT_S: Final = 30.0
SECRET: Final = "a secret for measuring only"
ROOT: Final = Path(__file__).parents[2]


class BenchFailed(Exception):
    """A run cannot go on. Says why."""


def environment(home: Path, **settings: str) -> dict[str, str]:
    """What a touchstream process of the bench finds in its environment: nothing of the user's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    ours = {PREFIX + name.upper(): value for name, value in settings.items()}
    return {**inherited, "PYTHONPATH": path, PREFIX + "HOME": str(home), PREFIX + "SECRET": SECRET, **ours}


def touchstream(*arguments: str) -> list[str]:
    """The command line of a touchstream command."""
    return [sys.executable, "-m", "pipeline.cli.main", *arguments]


def stop(process: "subprocess.Popen[Any]", timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End a process that we started, by force when it does not."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)


def settings(home: Path, **values: Any) -> Settings:
    """The settings that such a process has, for code in this one."""
    return Settings(**{"home": home, "secret": SECRET, **values})


@contextmanager
def started(home: Path, name: str, **values: str) -> "Iterator[subprocess.Popen[bytes]]":
    """`touchstream run NAME` on a home while it lasts; what it says goes to NAME.out in the home."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.out").open("ab") as out:
        process = subprocess.Popen(
            touchstream("run", name), env=environment(home, **values), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        stop(process)


@contextmanager
def running(home: Path, name: str = "kafka", **values: str) -> Iterator[str]:
    """A server of touchstream's own (kafka or clickhouse) on a home; gives its address. Raises BenchFailed."""
    mine = settings(home)
    ready.forget(mine, name)
    try:
        with started(home, name, **values) as process:
            deadline = time.monotonic() + START_TIMEOUT_S
            while (facts := ready.heard(mine, name)) is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchFailed(f"{name} does not start: {home / name}.out says why")
                time.sleep(0.1)
            yield str(facts["address"])
    finally:
        ready.forget(mine, name)
