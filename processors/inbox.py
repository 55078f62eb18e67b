"""What waits for a lane's next transaction, and when that begins."""

import asyncio
import math
from dataclasses import dataclass
from typing import Final

from processors.transport import Batch

QUEUED_BATCHES: Final = 4
# Where the interval may grow, a transaction takes at most this share of the time from its beginning to that of the next one.
SHARE: Final = 0.1
# What is fetched at once comes one after the other, a batch of each topic.
TOGETHER_S: Final = 0.02

Item = tuple[str, Batch]
"""A source topic and consecutive records of it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Transactions of a lane begin at least `interval_s` seconds apart, unless `records` are waiting: each costs the broker the
    same, however little is in it. The first after a silence begins at once.

    Up to `longest_s` seconds they lie farther apart the longer they take: when the machine is full, doing less often what costs
    less by being done at once is what frees it.
    """

    interval_s: float = 0.0
    records: int = 1
    longest_s: float = 0.0

    def apart_s(self, took_s: float) -> float:
        """Seconds from the beginning of a transaction that took so long to that of the next one."""
        return max(self.interval_s, min(took_s / SHARE, self.longest_s))


class Inbox:
    """Batches in the order in which they came: a few, and those that the next transaction takes."""

    def __init__(self, pace: Pace) -> None:
        self.closed = False
        self._pace = pace
        self._queue: asyncio.Queue[Item | None] = asyncio.Queue(QUEUED_BATCHES)
        self._begun_at = -math.inf

    async def put(self, topic: str, batch: Batch) -> None:
        """Waits for room. What comes when it is closed is dropped: the seek after the rebalance brings it back."""
        if not self.closed:
            await self._queue.put((topic, batch))

    def close(self) -> None:
        """Drop what waits, and free whoever waits to put or to take."""
        self.closed = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def take(self) -> list[Item]:
        """What the next transaction takes, when its time has come or it has enough; nothing when it was closed."""
        items: list[Item] = []
        time = asyncio.get_running_loop().time
        due_at = self._begun_at + self._pace.apart_s(time() - self._begun_at)
        while True:
            left = self._left(items, due_at)
            if left is not None and left <= 0:
                self._begun_at = time()
                return items
            try:
                item = await asyncio.wait_for(self._queue.get(), left)
            except TimeoutError:
                continue
            if item is None:
                return []
            if not items:
                due_at = max(due_at, time() + min(TOGETHER_S, self._pace.interval_s))
            items.append(item)

    def _left(self, items: list[Item], due_at: float) -> float | None:
        """Seconds to wait for more; None: for ever."""
        if not items or not self._queue.empty():
            return None
        if sum(len(batch.records) for _, batch in items) >= self._pace.records:
            return 0.0
        return due_at - asyncio.get_running_loop().time()
