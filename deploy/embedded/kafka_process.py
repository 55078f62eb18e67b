"""Kafka's Java process: whose it is, that there is one per home, and that it ends with the one who started it."""

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil  # type: ignore[import-untyped]

from deploy.embedded import tether
from deploy.embedded.files import write_atomically
from deploy.embedded.java import java_environment
from deploy.embedded.kafka_reasons import already_running

_KILL_TIMEOUT_S = 10.0


def home_mark(home: Path) -> str:
    """The word on the command line that shows which home a Kafka belongs to."""
    return f"-Dtouchstream.kafka.home={home}"


class HomeLock:
    """Held by the one process that runs Kafka on a home; the system frees it when that process ends in any way."""

    def __init__(self, path: Path, home: Path) -> None:
        self._path = path
        self._home = home
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock; raises EmbeddedKafkaError when another process holds it."""
        file = self._path.open("w", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise already_running(self._home) from None
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def launch(command: list[str], directory: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start `command` in `directory`, bound to the life of this process where that can be done.

    The bond is one to the thread that starts the program, so only the main thread makes it. The program is in a
    session of its own: Ctrl-C is for us, and we end it in our order.
    """
    if threading.current_thread() is threading.main_thread():
        command = [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()), *command]
    return subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        env=java_environment(),
    )


def write_pid(path: Path, pid: int) -> None:
    """Note which process runs, for `end_leftover`."""
    write_atomically(path, json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}) + "\n")


def end_leftover(path: Path, home: Path, timeout_s: float) -> bool:
    """End the Kafka of `home` that `path` names, if it still runs and really is that one; whether there was one.

    Call it with the home's lock held: then its owner is gone. Kafka gets `timeout_s` seconds to end cleanly.
    """
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        process = psutil.Process(int(noted["pid"]))
        same = abs(process.create_time() - float(noted["started"])) < 1 and home_mark(home) in process.cmdline()
        if not same:
            return False
        process.terminate()
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_KILL_TIMEOUT_S)
    except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        return False
    else:
        return True
    finally:
        path.unlink(missing_ok=True)


def end(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Ask `process` to end and wait `timeout_s` seconds, then kill it; whether it ended by itself."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_KILL_TIMEOUT_S)
        return False
    return True
