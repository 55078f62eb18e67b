"""Listens for clients of the embedded ClickHouse and gives each one a thread."""

import logging
import selectors
import socket
import threading
import time
from contextlib import suppress

from deploy.embedded.native_connection import Connection, Services

log = logging.getLogger(__name__)

_BACKLOG = 128
_POLL_S = 0.02
_ACCEPT_PAUSE_S = 0.2


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class NativeServer:
    """Accepts clients from `start` to `stop`."""

    def __init__(self, listener: socket.socket, services: Services) -> None:
        self._listener = listener
        self._services = services
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept_all, name="accept", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._listener.setblocking(False)
        self._acceptor.start()

    def stop(self, patience_s: float) -> bool:
        """Accept nobody any more, end queries, let inserts finish for `patience_s` seconds; whether all clients are gone."""
        self._wake.close()
        self._acceptor.join()
        self._listener.close()
        for connection in self._current():
            connection.leaving = True
            if not connection.busy:
                _hang_up(connection)
        if self._all_gone(patience_s):
            return True
        for connection in self._current():
            _hang_up(connection)
        return self._all_gone(1.0)

    def _all_gone(self, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while self._current():
            if time.monotonic() > deadline:
                return False
            # Each time anew: a query may just have begun.
            self._services.watch.cancel_all()
            for connection in self._current():
                if not connection.busy:
                    _hang_up(connection)
            time.sleep(_POLL_S)
        return True

    def _current(self) -> list[Connection]:
        with self._lock:
            return list(self._connections)

    def _accept_all(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    self._woken.close()
                    return
                self._accept()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("cannot take a new client: %s", error)
            time.sleep(_ACCEPT_PAUSE_S)
            return
        connection = Connection(peer, self._services)
        thread = threading.Thread(target=self._serve, args=(connection,), name="client", daemon=True)
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                del self._connections[connection]
            connection.wire.peer.close()


def _hang_up(connection: Connection) -> None:
    with suppress(OSError):
        connection.wire.peer.shutdown(socket.SHUT_RDWR)
