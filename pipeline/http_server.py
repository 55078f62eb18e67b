"""An app on an address: found a port for, announced once it listens, and stopped when the process is told to."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
GRACE_S: Final = 2


class CannotListen(Exception):
    """The address or port is not to be had; says which and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: port 0 is `usual`, or a free one where that is taken. `setting` is the one to change when it cannot be."""

    host: str
    port: int
    usual: int
    setting: str


class _Server(uvicorn.Server):
    """Announces itself once it listens, and leaves signals to us, so that being told to stop is no failure."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(app: Any, address: Address, on_started: Callable[[str], None], **options: Any) -> None:
    """Serve an ASGI app until SIGTERM or SIGINT; `on_started` is told the URL. `options` are uvicorn's. Raises CannotListen."""
    listener = _listen(address)
    url = _url(address.host, listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # its lines would hold what customers are asked for by, and keys
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        **{"timeout_graceful_shutdown": GRACE_S, **options},
    )
    try:
        _Server(config, lambda: on_started(url)).run(sockets=[listener])
    finally:
        listener.close()


def _listen(address: Address) -> socket.socket:
    if address.port:
        return _bound(address, address.port)
    try:
        return _bound(address, address.usual)
    except CannotListen:
        return _bound(address, 0)


def _bound(address: Address, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"cannot listen on {address.host}:{port} ({error.strerror}); choose another {address.setting}"
        ) from None
    return listener


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
