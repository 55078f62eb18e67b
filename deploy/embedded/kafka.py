"""Apache Kafka of our own: one node on this machine, with nothing to install.

`python -m deploy.embedded.kafka --home DIR` runs it until SIGTERM or SIGINT and prints its address when it is ready.
"""

import argparse
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded.java import find_java
from deploy.embedded.kafka_config import class_path, java_flags
from deploy.embedded.kafka_errors import EmbeddedKafkaError, PortTakenError, StartCancelledError
from deploy.embedded.kafka_home import KafkaHome, format_storage
from deploy.embedded.kafka_jars import Progress, ensure_jars
from deploy.embedded.kafka_probe import answers
from deploy.embedded.kafka_process import HomeLock, end, end_leftover, home_mark, launch, write_pid
from deploy.embedded.kafka_reasons import explain, killed, no_space, not_writable
from deploy.embedded.ports import HOST, Ports, is_free, pick, recall, remember
from deploy.embedded.stopping import Stopping, stopped_by_signals

__all__ = ["EmbeddedKafka", "EmbeddedKafkaError", "KafkaOptions", "ensure_jars", "serve"]

_POLL_S = 0.05
_PORT_TRIES = 3
_STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """What to run: the home, the port (0: the home's last one, or a free one), Java, jars, memory, patience.

    `java` is "bundled", "system" or a path. `start_timeout_s` has to cover the check of the data after a crash.
    """

    home: Path
    port: int = 0
    java: str = "bundled"
    jars_dir: Path | None = None
    heap_mb: int = 512
    start_timeout_s: float = 180.0


class EmbeddedKafka:
    """One Kafka node on one home. Start it once; use it as a context manager, or with `start` and `stop`."""

    def __init__(
        self,
        options: KafkaOptions,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`progress` hears of downloads; when `cancelled` answers true during a start, the start is given up."""
        self._options = options
        self._progress = progress
        self._cancelled = cancelled
        self._files = KafkaHome(options.home.expanduser().absolute())
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()
        self._ports = Ports()
        self._log_offset = 0

    @property
    def bootstrap(self) -> str:
        """The address for clients, "127.0.0.1:port"."""
        return f"{HOST}:{self._ports.broker}"

    @property
    def alive(self) -> bool:
        """Whether Kafka's process runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The id of Kafka's process; None before the start and after the stop."""
        return self._process.pid if self._process else None

    @property
    def log_path(self) -> Path:
        """Where Kafka logs warnings and errors."""
        return self._files.log

    def start(self) -> str:
        """Start Kafka, wait until it answers, and return its address "127.0.0.1:port".

        Raises EmbeddedKafkaError; nothing is left running then.
        """
        if self._process is not None:
            raise RuntimeError("this Kafka is started already")
        with ExitStack() as undo, _disk_errors(self._files.home):
            undo.callback(self.stop)
            self._files.prepare()
            self._held.enter_context(HomeLock(self._files.lock, self._files.home))
            end_leftover(self._files.pid, self._files.home, _STOP_TIMEOUT_S)
            self._start_on_some_ports(self._java_command())
            undo.pop_all()
        return self.bootstrap

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> bool:
        """End Kafka cleanly, kill it after `timeout_s` seconds; whether it ended cleanly. Harmless when stopped."""
        clean = True
        if self._process is not None:
            clean = end(self._process, timeout_s)
            self._process = None
            self._files.pid.unlink(missing_ok=True)
        self._held.close()
        return clean

    def failure(self) -> EmbeddedKafkaError:
        """Why Kafka ended by itself, read from what it logged."""
        code = self._process.returncode if self._process else 0
        if code < 0:
            return killed(code)
        wrote = self._files.written_since(self._log_offset)
        return explain(wrote, self._files.home, self._options.heap_mb, self._files.disk_is_full())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _java_command(self) -> list[str]:
        java = find_java(self._options.java)
        jars = ensure_jars(self._options.jars_dir, self._report)
        flags = java_flags(self._options.heap_mb, self._files.directory, home_mark(self._files.home))
        return [str(java), *flags, "-cp", class_path(jars)]

    def _report(self, done: int, total: int, what: str) -> None:
        self._give_up_if_cancelled()
        if self._progress is not None:
            self._progress(done, total, what)

    def _start_on_some_ports(self, java: list[str]) -> None:
        """A free port can be taken by somebody else before Kafka has it; only one that was asked for is insisted on."""
        for attempt in range(1, _PORT_TRIES + 1):
            try:
                self._start_on(self._choose_ports(), java)
            except PortTakenError as taken:
                if attempt == _PORT_TRIES or taken.port == self._options.port:
                    raise
            else:
                return

    def _choose_ports(self) -> Ports:
        last = recall(self._files.ports)
        if self._options.port and not is_free(self._options.port):
            raise PortTakenError(self._options.port)
        broker = self._options.port or pick(last.broker)
        return Ports(broker, pick(last.controller, avoid=frozenset({broker})))

    def _start_on(self, ports: Ports, java: list[str]) -> None:
        self._files.configure(ports)
        if not self._files.is_formatted:
            format_storage(self._files, java, self._options.heap_mb)
        self._log_offset = self._files.log_size()
        with self._files.output.open("wb") as output:
            command = [*java, "kafka.Kafka", self._files.properties.name]
            self._process = launch(command, self._files.directory, output)
        write_pid(self._files.pid, self._process.pid)
        self._wait_until_ready(self._process, ports.broker)
        self._ports = ports
        remember(self._files.ports, ports)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + self._options.start_timeout_s
        while not answers(port):
            self._give_up_if_cancelled()
            if process.poll() is not None:
                fault = self.failure()
                self._process = None
                raise fault
            if time.monotonic() > deadline:
                problem = f"Kafka did not answer within {self._options.start_timeout_s:g} seconds"
                raise EmbeddedKafkaError(problem, f"read {self.log_path}; after a crash it may need longer")
            time.sleep(_POLL_S)

    def _give_up_if_cancelled(self) -> None:
        if self._cancelled():
            raise StartCancelledError


def serve(options: KafkaOptions, ready: Callable[[str], None], progress: Progress | None = None) -> None:
    """Run Kafka in the foreground, for the main thread: returns after SIGTERM or SIGINT, when it has ended cleanly.

    `ready` gets the address once clients may connect. Raises EmbeddedKafkaError when Kafka does not start or ends by
    itself.
    """
    with stopped_by_signals(Stopping()) as stop:
        kafka = EmbeddedKafka(options, progress, stop.is_set)
        try:
            with kafka:
                ready(kafka.bootstrap)
                while not stop.wait(0.2):
                    if not kafka.alive:
                        raise kafka.failure()
        except StartCancelledError:
            return


@contextmanager
def _disk_errors(home: Path) -> Iterator[None]:
    """Turn what the system says of a full or forbidden disk into words for the user."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(home) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise not_writable(home) from error
        raise


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns an exit code of sysexits."""
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.kafka", description="Run the embedded Kafka.")
    parser.add_argument("--home", type=Path, required=True, help="directory for data, configuration and log")
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: the last one, or a free one)")
    parser.add_argument("--java", default="bundled", help='"bundled", "system" or a path')
    parser.add_argument("--jars", type=Path, default=None, help="directory with Kafka's jars, for use without network")
    parser.add_argument("--heap-mb", type=int, default=512, help="Java's heap in MiB")
    given = parser.parse_args(arguments)
    try:
        serve(KafkaOptions(given.home, given.port, given.java, given.jars, given.heap_mb), _announce)
    except EmbeddedKafkaError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_UNAVAILABLE
    return os.EX_OK


def _announce(bootstrap: str) -> None:
    sys.stdout.write(f"{bootstrap}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
