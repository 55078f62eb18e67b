"""What is known of each source while it sends: how fast it may, and whether it is stopped because nearly all is rejected."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.breaker import Bounds, Breaker
from pipeline.codec import Encoder
from pipeline.events import Out
from pipeline.health.alerts import OPEN, Alert, alert_id
from pipeline.intake.keys import Key
from pipeline.intake.metrics import IntakeMetrics
from pipeline.intake.outbox import NotDurable, Outbox
from pipeline.intake.rate import Bucket
from pipeline.intake.requests import Refusal
from pipeline.intake.verdicts import Verdict

logger = logging.getLogger("touchstream.intake")
RULE: Final = "source.stopped"


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where it is told that a source was stopped: on `topic`, with its prefix. `now` is milliseconds since epoch, UTC."""

    outbox: Outbox
    encoder: Encoder
    topic: str
    now: Callable[[], int]

    async def tell(self, source: str, opened_at: int, *, stopped: bool) -> bool:
        """Open the alert, or resolve it. Whether Kafka has taken it."""
        alert = told(source, opened_at, self.now(), stopped=stopped)
        try:
            await self.outbox.put([Out(self.topic, source.encode(), self.encoder.encode(alert.record()))])
        except NotDurable as error:
            logger.warning("the alert about %s is not on Kafka yet: %s", source, error)
            return False
        return True


def told(source: str, opened_at: int, now: int, *, stopped: bool) -> Alert:
    """The alert about a source that was stopped at `opened_at`, or is taken again; milliseconds since epoch, UTC."""
    return Alert(
        alert_id(RULE, source, opened_at),
        now,
        RULE,
        "critical",
        "open" if stopped else "resolved",
        opened_at,
        f"nearly everything that {source} sends is rejected: it is not taken until that is mended",
    )


class Sources:
    """The buckets and breakers of all sources; `clock` is steady, in seconds."""

    def __init__(self, bounds: Bounds, alerts: Alerts, metrics: IntakeMetrics, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._alerts = alerts
        self._metrics = metrics
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._breakers: dict[str, Breaker] = {}
        self._opened_at: dict[str, int] = {}
        self._untold: set[str] = set()

    def recall(self, alerts: Iterable[Alert]) -> None:
        """An earlier process has left these alerts. What it had stopped is stopped, and tried at once; it takes a good event to
        resolve the alert. What this process has found out by itself counts more."""
        for alert in alerts:
            if alert.rule == RULE and alert.state in OPEN and alert.subject not in self._opened_at:
                self._opened_at[alert.subject] = alert.raised_ms
                tried = self._clock() - self._bounds.pause_s
                self._breakers[alert.subject] = Breaker(self._bounds, opened_at=tried)
                self._metrics.stopped(alert.subject, now=True)
                logger.warning("%s was stopped before: it is tried", alert.subject)

    def let_in(self, key: Key) -> None:
        """Whether the key's source may send now. Raises Refusal."""
        now = self._clock()
        breaker = self._breakers.get(key.source)
        if breaker is not None and breaker.is_open(now):
            wait_s = max(1, round(breaker.wait_s(now)))
            raise Refusal(
                503, "stopped", f"nearly everything of {key.source} was rejected: mend it, then send again", wait_s
            )
        if not key.rate:
            return
        bucket = self._buckets.get(key.source)
        if bucket is None or bucket.rate != key.rate:
            bucket = self._buckets[key.source] = Bucket(key.rate)
        until_s = bucket.wait_s(now)
        if until_s:
            raise Refusal(429, "rate", f"{key.source} may send {key.rate:g} events a second", max(1, round(until_s)))

    async def answered(self, key: Key, verdicts: Sequence[Verdict]) -> None:
        """The source was told these verdicts."""
        self._metrics.taken(key.source, verdicts)
        if key.rate and key.source in self._buckets:
            self._buckets[key.source].take(len(verdicts), self._clock())
        bad = sum(one.status == "rejected" for one in verdicts)
        await self.judged(key.source, len(verdicts) - bad, bad)

    async def judged(self, source: str, good: int, bad: int) -> None:
        """So many of its events were good and so many rejected."""
        breaker = self._breakers.get(source) or self._breakers.setdefault(source, Breaker(self._bounds))
        change = breaker.judged(good, bad, self._clock())
        stopped = breaker.opened_at is not None
        if change is not None:
            if stopped:
                self._opened_at[source] = self._alerts.now()
            self._metrics.stopped(source, now=stopped)
            logger.warning("%s is %s", source, "stopped: nearly everything is rejected" if stopped else "taken again")
        elif source not in self._untold:
            return
        self._untold.add(source)
        if await self._alerts.tell(source, self._opened_at[source], stopped=stopped):
            self._untold.discard(source)
