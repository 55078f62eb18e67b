"""One process under supervision: started, watched, restarted after a pause that grows, stopped."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.embedded import tether

BACK_OFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STEADY_S: Final = 60.0
# Exit codes after which another try cannot help: wrong use, wrong settings.
HOPELESS: Final = frozenset({64, 78})


def pause_before_restart(restarts: int) -> float:
    """Seconds to wait before the next start, after so many in a row."""
    return BACK_OFF_S[min(restarts, len(BACK_OFF_S) - 1)]


@dataclass(slots=True)
class Child:
    """A process by name; `environment` is what it is told beyond ours.

    `state` is one of stopped, starting, ready, waiting (to be restarted), failed."""

    name: str
    command: list[str]
    say: Callable[[str], None]
    environment: dict[str, str] = field(default_factory=dict)
    state: str = "stopped"
    restarts: int = 0
    in_a_row: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    last_line: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def start(self, now: float) -> None:
        """Start it, in a session of its own so that a Ctrl-C at the terminal reaches the supervisor alone."""
        command = [sys.executable, str(Path(tether.__file__)), str(os.getpid()), *self.command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **self.environment},
        )
        self._reader = threading.Thread(target=self._pass_on, args=(self._process,), daemon=True)
        self._reader.start()
        self.state, self.started_at = "starting", now

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self.last_line = text
                self.say(text)

    def check(self, now: float) -> None:
        """Notice its end, and start it again when its pause is over."""
        if self.state == "waiting" and now >= self.restart_at:
            self.restarts += 1
            self.start(now)
            return
        code = self._process.poll() if self._process else None
        if code is None:
            if self.state == "ready" and now - self.started_at > STEADY_S:
                self.in_a_row = 0
            return
        self._ended()
        if code in HOPELESS:
            self.state = "failed"
            self.say(f"{self.name} ended with code {code} and is not started again: {self.last_line}")
            return
        pause = pause_before_restart(self.in_a_row)
        self.in_a_row += 1
        self.state, self.restart_at = "waiting", now + pause
        self.say(f"{self.name} ended with {_cause(code)}; starting it again in {pause:g} s")

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; after `timeout_s` seconds it is killed. Whether it ended by itself."""
        by_itself = True
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                by_itself = False
                self._process.kill()
                self._process.wait()
            self._ended()
        self.state = "stopped"
        return by_itself

    def _ended(self) -> None:
        if self._reader is not None:
            self._reader.join(timeout=1)
        self._process = self._reader = None


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
