"""One poller per question, however many watch: it asks again and again and keeps the newest answer for everybody."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pipeline.serve.clickhouse import QueryFailed, Unavailable
from pipeline.serve.metrics import Metrics

T = TypeVar("T")

log = logging.getLogger("touchstream.serve")

IDLE_S: Final = 5.0
LONGEST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a question is asked: every `watched_s` seconds while somebody watches; else every `idle_s`, or not at all.

    It is never asked before `rest` times the time that it took has passed, so that a slow one cannot keep ClickHouse busy.
    """

    watched_s: float
    when_idle: bool = True
    idle_s: float = IDLE_S
    rest: float = 10.0

    def wait_s(self, watched: bool, took_s: float) -> float:
        """Seconds until the next question."""
        calm = self.watched_s if watched else max(self.idle_s, self.watched_s)
        return min(LONGEST_S, max(calm, self.rest * took_s))


class Poller(Generic[T]):
    """Asks `fetch` at its pace. `value` is swapped as a whole; it stays when an answer fails, and `answered_at` shows its age."""

    def __init__(self, name: str, fetch: Callable[[], Awaitable[T]], pace: Pace, metrics: Metrics) -> None:
        self.name = name
        self.value: T | None = None
        self.answered_at: float | None = None
        self.fault: str | None = None
        self.watchers = 0
        self._fetch = fetch
        self._pace = pace
        self._metrics = metrics
        self._woken = asyncio.Event()

    @contextmanager
    def watched(self) -> Iterator["Poller[T]"]:
        """Somebody looks at it as long as the context is open."""
        self.join()
        try:
            yield self
        finally:
            self.leave()

    def join(self) -> None:
        """One more watcher; the first one gets a fresh answer at once."""
        self.watchers += 1
        if self.watchers == 1:
            self._woken.set()

    def leave(self) -> None:
        """One watcher less."""
        self.watchers -= 1

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            if self.watchers or self._pace.when_idle:
                took = await self.poll()
                await self._rest(self._pace.wait_s(self.watchers > 0, took))
            else:
                await self._rest(None)

    async def poll(self) -> float:
        """Ask once; returns the seconds it took."""
        began = time.monotonic()
        try:
            self.value = await self._fetch()
        except (Unavailable, QueryFailed) as error:
            if self.fault is None:
                log.warning("the board's question %s has no answer: %s", self.name, error)
            self.fault = str(error)
            self._metrics.poll_errors.labels(self.name).inc()
        else:
            if self.fault is not None:
                log.info("the board's question %s is answered again", self.name)
            self.answered_at = time.time()
            self.fault = None
        took = time.monotonic() - began
        self._metrics.poll_seconds.labels(self.name).observe(took)
        return took

    async def _rest(self, seconds: float | None) -> None:
        self._woken.clear()
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
