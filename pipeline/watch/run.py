"""The process `watch`: judges every minute how the sources fare, and writes what has changed as alerts."""

import asyncio
import logging
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline import endpoints, lag, metrics
from pipeline.config import Settings
from pipeline.exposition import counter, gauge, histogram
from pipeline.health.alerts import Book
from pipeline.health.judge import RULES
from pipeline.health.unreadable import UNREADABLE
from pipeline.pauses import at_most
from pipeline.serve.clickhouse import ClickHouse, QueryFailed, Unavailable
from pipeline.serve.read_sources import SourceReader
from pipeline.watch.alert_log import AlertLog, AlertsUnavailable, Lead, Replaced
from pipeline.watch.sources import Round, judged, judged_topics
from schemas.registry import RegistryUnavailable

logger = logging.getLogger("touchstream.watch")
QUERY_TIMEOUT_S: Final = 30
TURN_S: Final = 1.0
AGAIN_S: Final = 5.0
STATES: Final = ("fine", "new", *(rule.partition(".")[2] for rule in RULES))
TROUBLE: Final = (AlertsUnavailable, Replaced, Unavailable, QueryFailed, RegistryUnavailable)


def clock_ms() -> int:
    """Milliseconds since epoch, UTC."""
    return time.time_ns() // 1_000_000


class WatchMetrics:
    """The series of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sources = gauge(metrics.WATCH_SOURCES, registry)
        self._open = gauge(metrics.WATCH_ALERTS_OPEN, registry)
        self._written = counter(metrics.WATCH_ALERTS, registry)
        self._failures = counter(metrics.WATCH_FAILURES, registry)
        self._seconds = histogram(metrics.WATCH_ROUND_SECONDS, registry)
        self._leading = gauge(metrics.WATCH_LEADING, registry)

    def leads(self, leading: bool) -> None:
        """Whether this process writes the alerts. One that stands by tells nothing of sources: what it knew of them is old."""
        self._leading.set(leading)
        if not leading:
            self._sources.clear()
            self._open.clear()

    def failed(self) -> None:
        """A round came to nothing."""
        self._failures.inc()

    def done(self, found: Round, seconds: float) -> None:
        """A round is over, with everything written."""
        self._seconds.observe(seconds)
        states = Counter(verdict.state for verdict in found.verdicts.values())
        for state in STATES:
            self._sources.labels(state).set(states[state])
        rules = Counter(rule for rule, _ in found.book.open())
        for rule in (*RULES, UNREADABLE):
            self._open.labels(rule).set(rules[rule])
        for alert in found.changed:
            self._written.labels(alert.rule, alert.state).inc()


class Watch:
    """Judges until it is told to stop. Trouble with a server is said once and counted, and never ends it. `now_ms` is its clock."""

    def __init__(self, settings: Settings, registry: CollectorRegistry, now_ms: Callable[[], int] = clock_ms) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._source = ClickHouse(settings, threads=1, timeout_s=QUERY_TIMEOUT_S)
        self._reader = SourceReader(self._source)
        self._metrics = WatchMetrics(registry)
        self._stopping = asyncio.Event()
        self._log: AlertLog | None = None
        self._book = Book()
        self._trouble = ""

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. Raises NotRunning, SchemaUnknown."""
        try:
            while not self._stopping.is_set():
                try:
                    async with Lead(self._settings) as lead:
                        await self._turns(lead)
                except AlertsUnavailable as trouble:
                    self._say(str(trouble))
                    await at_most(self._stopping, AGAIN_S)
        finally:
            self._source.close()

    async def _turns(self, lead: Lead) -> None:
        try:
            while not self._stopping.is_set():
                held = await lead.held()
                self._metrics.leads(held)
                if held:
                    pause = await self._round()
                    await at_most(self._stopping, pause)
                else:
                    await self._let_go()
                    await at_most(self._stopping, TURN_S)
        finally:
            await self._let_go()

    async def _round(self) -> float:
        """One round; the seconds until the next."""
        began = time.monotonic()
        try:
            if self._log is None:
                self._log = AlertLog(self._settings)
                self._book = Book(await self._log.open())
            now_ms = self._now_ms()
            found = await judged(self._reader, self._waiting, self._settings, self._book, now_ms)
            found = await judged_topics(self._source, self._settings, found, now_ms)
            if found.changed:
                await self._log.write(found.changed)
        except TROUBLE as trouble:
            self._metrics.failed()
            self._say(str(trouble))
            if not isinstance(trouble, Unavailable | QueryFailed):
                await self._let_go()
            return min(AGAIN_S, self._settings.watch_interval_s)
        self._book, self._trouble = found.book, ""
        seconds = time.monotonic() - began
        self._metrics.done(found, seconds)
        for alert in found.changed:
            logger.info("%s %s", alert.alert_id, alert.state)
        return max(0.0, self._settings.watch_interval_s - seconds)

    async def _waiting(self) -> int | None:
        return await asyncio.to_thread(waiting, self._settings)

    async def _let_go(self) -> None:
        if self._log is not None:
            log, self._log = self._log, None
            await log.close()

    def _say(self, trouble: str) -> None:
        if not self._trouble:
            logger.warning("%s; going on", trouble)
        self._trouble = trouble


def waiting(settings: Settings) -> int | None:
    """How many records have arrived and are not in the tables yet; None when Kafka does not tell."""
    try:
        return sum(one.lag for one in lag.measure(endpoints.kafka(settings), settings, ("resolve", "sink")).values())
    except (lag.LagUnknown, endpoints.NotRunning):
        return None


def run(settings: Settings, registry: CollectorRegistry) -> None:
    """Watch until SIGTERM or SIGINT. Raises NotRunning, SchemaUnknown."""

    async def go() -> None:
        watch = Watch(settings, registry)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, watch.stop)
        await watch.run()

    asyncio.run(go())
