"""Being told to stop, whatever that interrupts."""

import os
import signal
import threading
import time

from deploy.embedded.stopping import Stopping, stopped_by_signals

SIGNALS = 3000


def test_signals_in_the_midst_of_everything() -> None:
    """Of waiting, of asking and of each other: an Event of threading stands still here."""
    stopping, heard = Stopping(), 0

    def tell(_number: int, _frame: object) -> None:
        nonlocal heard
        stopping.set()
        heard += 1

    before = signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, 0.00005, 0.00005)
    try:
        while heard < SIGNALS:
            stopping.wait(0.0001)
            stopping.set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stopping.is_set()


def test_waiting_ends_when_it_is_told() -> None:
    """By another thread, by a signal, or before; else when the time is up."""
    stopping = Stopping()
    assert not stopping.wait(0.01)
    assert not stopping.is_set()
    threading.Thread(target=stopping.set).start()
    assert stopping.wait()
    assert stopping.wait(60)
    caught: list[int] = []
    with stopped_by_signals(Stopping(), caught) as told:
        os.kill(os.getpid(), signal.SIGTERM)
        began = time.monotonic()
        assert told.wait(60)
        assert time.monotonic() - began < 60
    assert caught == [signal.SIGTERM]


def test_it_leaves_nothing_open() -> None:
    """Its pipe goes with it."""
    held = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(50):
        Stopping()
    assert not held or len(os.listdir("/proc/self/fd")) == held
