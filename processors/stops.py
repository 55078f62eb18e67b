"""Which source topics a lane takes nothing of, because nothing good was among the last records of them. Pure.

Only a run of rejects stops a topic. A single good record among them ends the run, so whoever shares a topic with a broken source
is not kept waiting for it; what waits is the broken source's own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.breaker import Bounds, Breaker, Change
from pipeline.events import Raw

TRIED: Final = 100
"""How many records are taken of a topic that was stopped, to see how it is now."""


@dataclass(slots=True)
class Stops:
    """The breakers of one partition's source topics. Times are seconds of a steady clock."""

    bounds: Bounds
    _breakers: dict[str, Breaker] = field(default_factory=dict)

    def taken(self, topic: str, raws: list[Raw], now: float) -> list[Raw]:
        """Those of consecutive records that are taken now: all, the first few, or none."""
        breaker = self._breakers.get(topic)
        if breaker is None or breaker.opened_at is None:
            return raws
        return raws[:TRIED] if breaker.tries(now) else []

    def judged(self, seen: Counter[str], rejected: Counter[str], now: float) -> Iterator[tuple[str, Change]]:
        """So many records of each topic were applied, and so many of them rejected; what has changed by that."""
        for topic, records in seen.items():
            breaker = self._breakers.get(topic)
            if breaker is None:
                breaker = self._breakers[topic] = Breaker(self.bounds)
            change = breaker.judged(records - rejected[topic], rejected[topic], now)
            if change is not None:
                yield topic, change

    def wait_s(self, topic: str, now: float) -> float:
        """Seconds until something of the topic is taken."""
        breaker = self._breakers.get(topic)
        return 0.0 if breaker is None else breaker.wait_s(now)
