"""Looks after the queries that run: ends those whose client cancelled or went away, and shows patient clients a sign of life."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.embedded.native_protocol import FromClient

_LOOK_EVERY_S = 0.1
_BEAT_EVERY_S = 1.0


@dataclass(slots=True, eq=False)
class Running:
    """A query that runs: its client, its session's marker, how to show life; not `stoppable` once rows are being committed."""

    peer: socket.socket
    marker: str
    beat: Callable[[], None]
    stoppable: bool = True
    cancelled: bool = False
    by_client: bool = False
    last_beat: float = field(default_factory=time.monotonic)
    _turning: threading.Lock = field(default_factory=threading.Lock)

    def commit(self) -> bool:
        """From here on the query is not to be ended; False when it is cancelled already.

        An insert that is ended while it writes could leave its token behind without its rows.
        """
        with self._turning:
            self.stoppable = False
            return not self.cancelled

    def cancel(self, *, by_client: bool) -> None:
        """End the query, unless it is past `commit`."""
        with self._turning:
            if self.stoppable and not self.cancelled:
                self.cancelled, self.by_client = True, by_client

    def end(self, kill: Callable[[str], None]) -> None:
        """Call `kill` on a cancelled query, unless it is past `commit`."""
        with self._turning:
            if self.cancelled and self.stoppable:
                kill(self.marker)

    def notice(self) -> None:
        """See whether the client has sent a Cancel or has gone."""
        try:
            first = self.peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if first in (b"", bytes([FromClient.CANCEL])):
            self.cancel(by_client=True)


class Watch:
    """One thread that looks at every running query ten times a second."""

    def __init__(self, kill: Callable[[str], None]) -> None:
        """`kill` ends the statement of the session with the given marker."""
        self._kill = kill
        self._running: set[Running] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)
        self._thread.start()

    @contextmanager
    def over(self, running: Running) -> Iterator[Running]:
        """Look after `running` while the body runs."""
        with self._lock:
            self._running.add(running)
        try:
            yield running
        finally:
            with self._lock:
                self._running.discard(running)

    def cancel_all(self) -> None:
        """End every query that may be ended."""
        with self._lock:
            for running in self._running:
                running.cancel(by_client=False)

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_S):
            with self._lock:
                current = list(self._running)
            for running in current:
                self._look(running)

    def _look(self, running: Running) -> None:
        if running.stoppable and not running.cancelled:
            running.notice()
        now = time.monotonic()
        if running.cancelled:
            # Again and again: the engine may not know the query yet.
            running.end(self._kill)
        elif now - running.last_beat >= _BEAT_EVERY_S:
            running.last_beat = now
            running.beat()
