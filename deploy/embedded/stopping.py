"""Being told to stop, by a signal or by another thread."""

import os
import select
import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stopping:
    """Whether one was told to stop, and waiting for it. For any thread, and for the handler of a signal.

    An Event of `threading` must not be set in such a handler: it takes a lock, which the main thread may hold at that moment, in
    the midst of waiting or of an earlier signal's handler, and then nothing goes on for ever.
    """

    def __init__(self) -> None:
        self._told = False
        self._waiting, self._telling = os.pipe()
        os.set_blocking(self._telling, False)
        weakref.finalize(self, _close, self._waiting, self._telling)

    def set(self) -> None:
        """Tell it."""
        self._told = True
        with suppress(BlockingIOError):  # who waits has been told so often that the pipe is full
            os.write(self._telling, b"\0")

    def is_set(self) -> bool:
        """Whether it was told."""
        return self._told

    def wait(self, seconds: float | None = None) -> bool:
        """Until it is told, or for so long; whether it was told."""
        if not self._told:
            poll = select.poll()
            poll.register(self._waiting, select.POLLIN)
            poll.poll(None if seconds is None else max(0.0, 1000 * seconds))
        return self._told


def _close(*ends: int) -> None:
    for end in ends:
        os.close(end)


@contextmanager
def stopped_by_signals(stopping: Stopping, caught: list[int] | None = None) -> Iterator[Stopping]:
    """SIGTERM and SIGINT tell it to stop, as long as this lasts; `caught` gets their numbers. For the main thread."""

    def heard(number: int, _frame: FrameType | None) -> None:
        if caught is not None:
            caught.append(number)
        stopping.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
