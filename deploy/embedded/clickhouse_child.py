"""The embedded ClickHouse as a child of this process: for tests, tools and whoever runs several servers."""

import os
import selectors
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from deploy.embedded.clickhouse_errors import ended_early, not_writable, too_slow
from deploy.embedded.clickhouse_home import ClickHouseHome, ClickHouseOptions

PASSWORD_VARIABLE = "TOUCHSTREAM_CLICKHOUSE_PASSWORD"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_LARGEST_LOG = 10 << 20
_TAIL_BYTES = 4096


class EmbeddedClickHouse:
    """One ClickHouse on one home, in a process that ends with this one. A context manager, or `start` and `stop`."""

    def __init__(self, options: ClickHouseOptions, start_timeout_s: float = _START_TIMEOUT_S) -> None:
        self._options = options
        self._home = ClickHouseHome.of(options)
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Where it listens, "127.0.0.1:port"; "" before the first start."""
        return self._address

    @property
    def port(self) -> int:
        """The port of `address`; 0 before the first start."""
        return int(self._address.rpartition(":")[2] or 0)

    @property
    def pid(self) -> int:
        """The server's process; 0 when it was never started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the server's process runs now."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it takes clients; raises EmbeddedClickHouseError when that does not come about."""
        if self.alive:
            return
        self._home.prepare(self._options.memory_bytes)
        began_at = self._open_log()
        self._address = self._first_line()
        if not self._address:
            self.kill()
            raise ended_early(self._home.log, self._last_line(began_at))

    def stop(self) -> int:
        """End it cleanly (by force after ten seconds) and give its exit code; 0 when it does not run."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._let_go()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._let_go()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open_log(self) -> int:
        try:
            if self._home.log.exists() and self._home.log.stat().st_size > _LARGEST_LOG:
                self._home.log.replace(self._home.log.with_suffix(".log.1"))
            with self._home.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    env={**os.environ, PASSWORD_VARIABLE: self._options.password},
                )
                return log.tell()
        except OSError as error:
            raise not_writable(self._home.root, error.strerror or str(error)) from None

    def _command(self) -> list[str]:
        given = self._options
        return [
            *(sys.executable, "-m", "deploy.embedded.clickhouse", "--stop-with-stdin"),
            *("--home", str(given.home.expanduser().absolute()), "--port", str(given.port)),
            *("--memory-bytes", str(given.memory_bytes)),
        ]

    def _first_line(self) -> str:
        """What the server prints when it is ready; "" when it ends before."""
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + self._start_timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                self.kill()
                raise too_slow(self._home.log, self._start_timeout_s)
        return self._process.stdout.readline().decode().strip()

    def _last_line(self, began_at: int) -> str:
        with self._home.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(began_at, size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _let_go(self) -> int:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.wait()
