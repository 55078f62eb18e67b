"""What waits for a lane's next transaction, and when that begins."""

import asyncio
from dataclasses import dataclass
from typing import Final

from processors.transport import Batch

QUEUED_BATCHES: Final = 4

Item = tuple[str, Batch]
"""A source topic and consecutive records of it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Transactions of a lane begin at least `interval_s` seconds apart, unless `records` are waiting: each costs the broker the
    same, however little is in it. The first after a silence begins at once."""

    interval_s: float = 0.0
    records: int = 1


class Inbox:
    """Batches in the order in which they came: a few, and those that the next transaction takes."""

    def __init__(self, pace: Pace) -> None:
        self.closed = False
        self._pace = pace
        self._queue: asyncio.Queue[Item | None] = asyncio.Queue(QUEUED_BATCHES)
        self._next_at = 0.0

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
        while True:
            left = self._left(items)
            if left is not None and left <= 0:
                self._next_at = asyncio.get_running_loop().time() + self._pace.interval_s
                return items
            try:
                item = await asyncio.wait_for(self._queue.get(), left)
            except TimeoutError:
                continue
            if item is None:
                return []
            items.append(item)

    def _left(self, items: list[Item]) -> float | None:
        """Seconds to wait for more; None: for ever."""
        if not items or not self._queue.empty():
            return None
        if sum(len(batch.records) for _, batch in items) >= self._pace.records:
            return 0.0
        return self._next_at - asyncio.get_running_loop().time()
