"""Processor time and memory of a tree of processes, sampled from /proc; children that have ended count with their parents."""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.stats import between

EVERY_S: Final = 0.1
TICK: Final = float(os.sysconf("SC_CLK_TCK"))
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has just ended
    return found


def used(pids: list[int]) -> tuple[float, int]:
    """Seconds of processor time and bytes of resident memory of these processes together."""
    seconds, resident = 0.0, 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        seconds += sum(map(int, fields[11:15])) / TICK
        resident += int(fields[21]) * PAGE
    return seconds, resident


@dataclass(slots=True)
class Meter:
    """Samples processes and their children in a thread; a context manager. Times in seconds since epoch."""

    pids: list[int]
    seconds: list[tuple[float, float]] = field(default_factory=list)
    resident: list[tuple[float, int]] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Meter":
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        if self._thread:
            self._thread.join()

    def cpu(self, begin: float, end: float) -> float:
        """Seconds of processor time between two moments."""
        return between(self.seconds, end) - between(self.seconds, begin)

    def peak(self, begin: float = 0.0, end: float = float("inf")) -> int:
        """The most resident memory between two moments, bytes."""
        return max((size for at, size in self.resident if begin <= at <= end), default=0)

    def _watch(self) -> None:
        while True:
            seconds, resident = used([one for pid in self.pids for one in tree(pid)])
            now = time.time()
            if resident or not self.seconds:
                self.seconds.append((now, seconds))
                self.resident.append((now, resident))
            if self._enough.wait(EVERY_S):
                return
