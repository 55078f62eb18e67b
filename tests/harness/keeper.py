"""Processes that a test kills, freezes and holds back, and that come back by themselves."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from deploy.embedded import tether

RESTART_S: Final = 0.3
TICK_S: Final = 0.05
STOP_S: Final = 20.0


@dataclass(slots=True)
class Kept:
    """One process by name, its lives so far and how each of them ended. `once` is in the environment of its next life
    only."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    before_start: Callable[[], None]
    once: dict[str, str] = field(default_factory=dict)
    wanted: bool = True
    lives: int = 0
    ends: list[int] = field(default_factory=list)
    restart_at: float = 0.0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self.process
        return process.pid if process is not None else None

    def signal(self, number: int) -> int | None:
        """Send a signal if it runs; the id of the one that was hit."""
        process = self.process
        if process is None or process.poll() is not None:
            return None
        os.kill(process.pid, number)
        return process.pid

    def check(self, now: float) -> None:
        """Notice its end; start it when it is wanted and its pause is over."""
        process = self.process
        if process is not None:
            code = process.poll()
            if code is None:
                return
            self.ends.append(code)
            self.process, self.restart_at = None, now + RESTART_S
        if self.wanted and now >= self.restart_at:
            self._start()

    def _start(self) -> None:
        self.before_start()
        environment = self.environment | self.once
        self.once = {}
        command = [sys.executable, tether.__file__, str(os.getpid()), *self.command]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.lives += 1


class Keeper:
    """Looks after processes in a thread of its own, which has to live as long as they: they end with the thread that began them."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def add(self, kept: Kept) -> Kept:
        """Start a process and keep it running."""
        with self._lock:
            self.kept[kept.name] = kept
        return kept

    def remove(self, name: str, number: int = signal.SIGTERM, timeout_s: float = STOP_S) -> int | None:
        """End a process for good, by force after `timeout_s` seconds; how it ended."""
        kept = self.kept[name]
        kept.wanted = False
        with self._lock:
            kept.signal(signal.SIGCONT)
            kept.signal(number)
            process = kept.process
        if process is not None:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with self._lock:
            kept.check(time.monotonic())
            del self.kept[name]
        return kept.ends[-1] if kept.ends else None

    def processes(self) -> dict[str, list["psutil.Process"]]:
        """Every process by name, each with its children."""
        found: dict[str, list[psutil.Process]] = {}
        for kept in list(self.kept.values()):
            try:
                one = psutil.Process(kept.pid or 0)
                found[kept.name] = [one, *one.children(recursive=True)] if kept.pid else []
            except psutil.NoSuchProcess:
                continue
        return found

    def close(self) -> None:
        """End everything, the last one begun first."""
        for name in list(reversed(self.kept)):
            self.remove(name)
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            with self._lock:
                for kept in list(self.kept.values()):
                    kept.check(time.monotonic())
