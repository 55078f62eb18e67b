"""The process `serve`: listens, says where, and stops when it is told to."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from pipeline.config import Settings
from pipeline.serve.app import create_app
from pipeline.serve.hub import Lag, Restarts

log = logging.getLogger("touchstream.serve")

USUAL_PORT: Final = 8400
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class CannotListen(Exception):
    """The address or port is not to be had; says which and what to do."""


class _Server(uvicorn.Server):
    """Announces itself once it listens, and leaves signals to us, so that being told to stop is no failure."""

    def __init__(self, config: uvicorn.Config, url: str, note: Path) -> None:
        super().__init__(config)
        self._url = url
        self._note = note

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _write(self._note, self._url)
            sys.stdout.write(f"board and API: {self._url}\n")
            sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def run(settings: Settings, lag: Lag | None = None, restarts: Restarts | None = None) -> None:
    """Serve the board and the API until SIGTERM or SIGINT, then stop within five seconds.

    Once it listens, the URL stands in `run/serve.json` under home; the file goes when the process does. Raises CannotListen, and
    OSError when home cannot be written.
    """
    listener = _listen(settings.serve_host, settings.serve_port)
    url = _url(settings.serve_host, listener.getsockname()[1])
    note = settings.home / "run" / "serve.json"
    if settings.serve_host not in LOOPBACK:
        log.warning("anyone who reaches %s can read personal data: there is no sign-in", settings.serve_host)
    # The driver logs a stack trace at every attempt; that ClickHouse is away is told once, by the pollers.
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)
    app = create_app(settings, lag=lag, restarts=restarts)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # its lines would hold the identifiers that customers are asked for by
        log_level="warning",
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    try:
        _Server(config, url, note).run(sockets=[listener])
    finally:
        listener.close()
        note.unlink(missing_ok=True)
    fault = app.state.fault
    if fault is not None:
        raise fault


def _listen(host: str, port: int) -> socket.socket:
    if port:
        return _bound(host, port)
    try:
        return _bound(host, USUAL_PORT)
    except CannotListen:
        return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another TOUCHSTREAM_SERVE_PORT"
        ) from None
    return listener


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _write(note: Path, url: str) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    fresh = note.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({"url": url}))
    fresh.replace(note)
