"""ClickHouse of our own: the real engine in one process, behind ClickHouse's native TCP protocol, with nothing to install.

`python -m deploy.embedded.clickhouse --home DIR` runs it until SIGTERM or SIGINT and prints its address when it is ready.
"""

import argparse
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from deploy.embedded.clickhouse_child import PASSWORD_VARIABLE, EmbeddedClickHouse
from deploy.embedded.clickhouse_errors import EmbeddedClickHouseError, cannot_open, not_installed, port_taken
from deploy.embedded.clickhouse_home import ClickHouseHome, ClickHouseOptions
from deploy.embedded.ports import HOST, pick

if TYPE_CHECKING:
    from deploy.embedded.clickhouse_engine import Engine

__all__ = ["ClickHouseOptions", "EmbeddedClickHouse", "EmbeddedClickHouseError", "serve"]

log = logging.getLogger(__name__)

_PATIENCE_S = 3.0
_PORT_TRIES = 3


def serve(options: ClickHouseOptions, ready: Callable[[str], None]) -> None:
    """Run ClickHouse until SIGTERM or SIGINT; `ready` is given "127.0.0.1:port". Only in the main thread.

    Raises EmbeddedClickHouseError when it cannot start. When it returns, everything that was acknowledged is stored.
    """
    home = ClickHouseHome.of(options)
    home.prepare(options.memory_bytes)
    with _stop_signals() as wait, home.locked():
        _make_ready_for_engine()
        listener = _listen(options.port, home)
        address = f"{HOST}:{listener.getsockname()[1]}"
        engine = _open(home)
        log.info("ClickHouse %s on %s", ".".join(map(str, engine.version)), address)
        clean = _serve_clients(engine, listener, options.password, lambda: ready(address), wait)
        log.info("stopped" if clean else "stopped while clients were still connected")
        if not clean:
            # A thread is still inside the engine, which cannot be closed under it. All that was acknowledged is stored.
            os._exit(os.EX_OK)


def _serve_clients(
    engine: "Engine", listener: socket.socket, password: str, ready: Callable[[], None], wait: Callable[[], None]
) -> bool:
    from deploy.embedded.native_connection import Services
    from deploy.embedded.native_server import NativeServer
    from deploy.embedded.native_watch import Watch

    watch = Watch(engine.kill)
    server = NativeServer(listener, Services(engine, watch, password))
    server.start()
    ready()
    wait()
    log.info("stopping")
    if not server.stop(_PATIENCE_S):
        return False
    watch.stop()
    engine.close()
    return True


def _listen(port: int, home: ClickHouseHome) -> socket.socket:
    from deploy.embedded.native_server import listen

    for _ in range(1 if port else _PORT_TRIES):
        chosen = port or pick(home.remembered_port())
        try:
            listener = listen(HOST, chosen)
        except OSError:
            continue
        home.remember_port(chosen)
        return listener
    raise port_taken(chosen)


def _make_ready_for_engine() -> None:
    if importlib.util.find_spec("chdb") is None:
        raise not_installed()
    # The engine takes its time zone from the environment when it is imported; a server of this project is in UTC.
    os.environ["TZ"] = "UTC"
    time.tzset()


def _open(home: ClickHouseHome) -> "Engine":
    from deploy.embedded.clickhouse_engine import Engine, EngineError

    try:
        return Engine(home.data, home.config)
    except EngineError as error:
        raise cannot_open(home.data, error.message) from None


@contextmanager
def _stop_signals() -> Iterator[Callable[[], None]]:
    """Gives a function that waits for SIGTERM or SIGINT, also for one that has come before the call."""
    # The engine has many threads, and a signal may reach any of them: only a pipe that the signal itself writes to wakes
    # the main thread every time.
    waiting, telling = os.pipe()
    os.set_blocking(telling, False)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        """Only to be there: without a handler nothing is written."""

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    wakeup = signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    try:
        yield partial(_read_one, waiting)
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(waiting)
        os.close(telling)


def _read_one(descriptor: int) -> None:
    os.read(descriptor, 1)


def _stop_with_parent() -> None:
    """End this process when its standard input closes: the one who started it holds the other end."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def main() -> int:
    """The command line; the exit code follows sysexits."""
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.clickhouse", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the data are kept")
    parser.add_argument("--port", type=int, default=0, help="0: the last one, or a free one")
    parser.add_argument("--memory-bytes", type=int, default=0, help="0: half of the memory, 4 GiB at most")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    password = os.environ.get(PASSWORD_VARIABLE, "")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if given.stop_with_stdin:
        _stop_with_parent()
    try:
        serve(ClickHouseOptions(given.home, given.port, password, given.memory_bytes), _announce)
    except EmbeddedClickHouseError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_UNAVAILABLE
    return os.EX_OK


def _announce(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
