"""Everything the board keeps asking, in one place, and the freshness that follows from the answers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pipeline import topics
from pipeline.config import Settings
from pipeline.serve import read_now, read_period, read_recent
from pipeline.serve.clickhouse import Source
from pipeline.serve.flow import Flow, flow
from pipeline.serve.freshness import Freshness, Seen, judge
from pipeline.serve.metrics import Metrics
from pipeline.serve.periods import DEFAULT, HOUR_MS, PERIODS, Period
from pipeline.serve.poller import Pace, Poller

Lag = Callable[[], dict[str, int] | None]
Restarts = Callable[[], dict[str, int]]

RECENT_JOURNEYS: Final = 6
BEFORE_TABLES: Final = ("resolve", "sink")
CHANNELS: Final = ("call", "web", "email", "app", "chat", "sms", "letter", "social", "store", "device", "other")


@dataclass(frozen=True, slots=True)
class PeriodPollers:
    """The questions about one period."""

    scores: Poller[read_period.Scores]
    persons: Poller[read_period.Persons]
    flow: Poller[Flow]

    def all(self) -> tuple[Poller[Any], ...]:
        """All of them."""
        return (self.scores, self.persons, self.flow)


class Hub:
    """All pollers. `lag` tells how many records wait before each stage, or None when it cannot; `restarts` how often each process
    was started again. Both may block and must not raise."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        metrics: Metrics,
        lag: Lag | None = None,
        restarts: Restarts | None = None,
    ) -> None:
        self._source = source
        self._metrics = metrics
        self._ask_lag = lag
        self._ask_restarts = restarts
        self._gap_ms = settings.journey_gap_h * HOUR_MS
        self._topic_of = {c: settings.topic_prefix + topics.source_topic(c) for c in CHANNELS}
        self._started_at = time.time()
        self._lag: dict[str, int] | None = None
        self._lag_since: float | None = None
        self.pulse = Poller(
            "pulse", lambda: read_now.pulse(source, time.time()), Pace(1.0, idle_s=2.0, rest=1.0), metrics
        )
        self.sources = Poller("sources", lambda: read_now.sources(source), Pace(5.0), metrics)
        self.account = Poller(
            "account", lambda: read_now.account(source, _now_ms(), self._topic_of), Pace(2.0), metrics
        )
        self.recent = Poller("recent", lambda: read_recent.recent(source, RECENT_JOURNEYS), Pace(2.0), metrics)
        self._always: tuple[Poller[Any], ...] = (self.pulse, self.sources, self.account, self.recent)
        self.periods = {name: self._period(period) for name, period in PERIODS.items()}

    def _period(self, period: Period) -> PeriodPollers:
        # Of the periods that nobody looks at, only the first page's is kept warm.
        idle = period.name == DEFAULT
        source, metrics = self._source, self._metrics

        async def read_flow() -> Flow:
            return flow(await read_period.paths(source, period, _now_ms(), self._gap_ms))

        return PeriodPollers(
            Poller("scores", lambda: read_period.scores(source, period, _now_ms()), Pace(2.0, idle), metrics),
            Poller("persons", lambda: read_period.persons(source, period, _now_ms()), Pace(3.0, idle), metrics),
            Poller("flow", read_flow, Pace(5.0, idle), metrics),
        )

    def waiting(self) -> int | None:
        """How many records waited to be stored when it was last measured; None while nobody knows."""
        return None if self._lag is None else sum(self._lag.get(stage, 0) for stage in BEFORE_TABLES)

    def topic_of(self, channel: str) -> str:
        """The topic that takes a channel's touchpoints."""
        return self._topic_of.get(channel, self._topic_of["other"])

    @contextmanager
    def watched(self, window: str | None) -> Iterator[None]:
        """A page is open as long as the context is; it shows this window, or what belongs to none."""
        of_window = self.periods[window].all() if window else ()
        with ExitStack() as stack:
            for poller in (*self._always, *of_window):
                stack.enter_context(poller.watched())
            self._metrics.watchers.inc()
            stack.callback(self._metrics.watchers.dec)
            yield

    def freshness(self, now: float | None = None) -> Freshness:
        """How far the shown data lags behind at `now`, seconds since epoch."""
        pulse = self.pulse.value
        seen = Seen(
            self._started_at, self.pulse.answered_at, pulse.newest_s if pulse else None, self._lag, self._lag_since
        )
        return judge(seen, time.time() if now is None else now)

    async def run(self) -> None:
        """Ask until cancelled."""
        of_periods = [poller for period in self.periods.values() for poller in period.all()]
        async with asyncio.TaskGroup() as group:
            for poller in (*self._always, *of_periods):
                group.create_task(poller.run(), name=f"poll {poller.name}")
            group.create_task(self._measure(), name="measure")

    async def _measure(self) -> None:
        while True:
            if self._ask_lag is not None:
                self._lag = await asyncio.to_thread(self._ask_lag)
                waiting = self._lag is not None and any(self._lag.values())
                self._lag_since = (self._lag_since or time.time()) if waiting else None
                self._metrics.waits(self._lag)
            if self._ask_restarts is not None:
                self._metrics.restarted(await asyncio.to_thread(self._ask_restarts))
            fresh = self.freshness()
            self._metrics.freshness.set(float("nan") if fresh.age_s is None else fresh.age_s)
            self._metrics.silence.set(fresh.silent_s)
            await asyncio.sleep(2)


def _now_ms() -> int:
    return int(time.time() * 1000)
