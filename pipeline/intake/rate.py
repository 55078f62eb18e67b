"""How many events a source may send: a bucket that fills by the clock and is emptied by events. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """`rate` events a second; `burst_s` seconds' worth may come at once. Times are seconds of any steady clock.

    A request is let in while anything is in the bucket, and takes out what it holds, below nothing if need be: so a large one
    is not kept out for ever, and is paid for by waiting after it.
    """

    rate: float
    burst_s: float = 2.0
    filled: float = 0.0
    at: float | None = None

    def wait_s(self, now: float) -> float:
        """For how many seconds nothing is let in; 0 when something is."""
        self._fill(now)
        return 0.0 if self.filled > 0 else (1 - self.filled) / self.rate

    def take(self, events: int, now: float) -> None:
        """So many have been let in."""
        self._fill(now)
        self.filled -= events

    def _fill(self, now: float) -> None:
        most = self.rate * self.burst_s
        grown = most if self.at is None else self.filled + (now - self.at) * self.rate
        self.filled, self.at = min(most, grown), now
