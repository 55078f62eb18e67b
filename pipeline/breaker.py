"""When so much of what comes is rejected that the fault is systematic, nothing more is taken until it is mended. Pure.

A fault that goes on would drain everything into the rejected records; refused instead, it stays where it came from. While the
breaker is open nothing is taken; after a pause a little is tried, and if that is good, everything is taken again. After the circuit
breaker of M. Nygard, Release It! (2007).
"""

from dataclasses import dataclass
from typing import Final, Literal

Change = Literal["opened", "closed"] | None
WINDOW: Final = 10


@dataclass(frozen=True, slots=True)
class Bounds:
    """It opens after `run` rejects with nothing good between them, or when `share` or more of the last `least` events and more were
    rejected; 0 for either means never. `pause_s` is how many seconds it stays open before something is tried."""

    run: int = 1000
    share: float = 0.0
    least: int = 1000
    pause_s: float = 30.0


@dataclass(slots=True)
class Breaker:
    """Of one source. Times are seconds of a steady clock."""

    bounds: Bounds
    opened_at: float | None = None
    _run: int = 0
    _good: float = 0.0
    _bad: float = 0.0

    def is_open(self, now: float) -> bool:
        """Whether nothing is taken now."""
        return self.opened_at is not None and now < self.opened_at + self.bounds.pause_s

    def tries(self, now: float) -> bool:
        """Whether a little is taken, to see how it is now."""
        return self.opened_at is not None and not self.is_open(now)

    def wait_s(self, now: float) -> float:
        """Seconds until something is tried."""
        return 0.0 if self.opened_at is None else max(0.0, self.opened_at + self.bounds.pause_s - now)

    def judged(self, good: int, bad: int, now: float) -> Change:
        """So many were good and so many rejected, in whatever order; what follows from that, if anything."""
        self._run = 0 if good else self._run + bad
        self._good, self._bad = self._good + good, self._bad + bad
        if self.opened_at is not None:
            return self._tried(good, bad, now)
        change = self._opened(now) if self._is_systematic() else None
        if self._good + self._bad > WINDOW * self.bounds.least:  # so that what was long ago counts less and less
            self._good, self._bad = self._good / 2, self._bad / 2
        return change

    def _is_systematic(self) -> bool:
        seen, bounds = self._good + self._bad, self.bounds
        by_run = bool(bounds.run) and self._run >= bounds.run
        return by_run or (bool(bounds.share) and seen >= bounds.least and self._bad >= bounds.share * seen)

    def _tried(self, good: int, bad: int, now: float) -> Change:
        if good + bad == 0:
            return None
        if good == 0 or (self.bounds.share and bad >= self.bounds.share * (good + bad)):
            self.opened_at = now
            return None
        self.opened_at, self._run, self._good, self._bad = None, 0, 0.0, 0.0
        return "closed"

    def _opened(self, now: float) -> Change:
        self.opened_at = now
        return "opened"
