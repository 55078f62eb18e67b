"""How all sources fare now, read once for everybody who asks within a few seconds."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.config import Settings
from pipeline.health.alerts import ABOUT_SOURCES, Alert, Book
from pipeline.health.judge import Moment, Verdict
from pipeline.serve.clickhouse import Source
from pipeline.serve.metrics import Metrics
from pipeline.serve.poller import Pace, Poller
from pipeline.serve.read_sources import SourceReader, SourceReading
from pipeline.watch.sources import bounds_of, is_behind, opened, verdicts

Alerts = Callable[[], dict[str, Alert] | None]
"""All alerts by id, or None when Kafka does not tell. May block and must not raise."""
Waiting = Callable[[], int | None]
"""How many records wait to be stored, as of a moment ago; None when nobody knows."""
KEPT_S: Final = 5.0
ALERTS_KEPT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class SourcesNow:
    """Readings and verdicts by source, and the open alerts about sources; None when nobody can tell them."""

    as_of_ms: int
    readings: dict[str, SourceReading]
    verdicts: dict[str, Verdict]
    alerts: tuple[Alert, ...] | None

    def alerts_of(self, name: str) -> tuple[Alert, ...] | None:
        """The open alerts about one source."""
        return None if self.alerts is None else tuple(alert for alert in self.alerts if alert.subject == name)


class SourceDesk:
    """Answers how the sources fare. `ask_alerts`: see Alerts; `waiting`: see Waiting; where there is none, nothing waits."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        metrics: Metrics,
        ask_alerts: Alerts | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._settings = settings
        self._reader = SourceReader(source)
        self._ask_alerts = ask_alerts
        self._waiting = waiting
        self._alone = asyncio.Lock()
        self._kept: tuple[float, SourcesNow] | None = None
        self._alerts: tuple[float, dict[str, Alert] | None] | None = None
        self.poller = Poller("source_health", self.read, Pace(10.0, when_idle=False), metrics)

    async def read(self) -> SourcesNow:
        """The present state, at most five seconds old. Raises Unavailable, QueryFailed."""
        async with self._alone:
            if self._kept is not None and time.monotonic() - self._kept[0] < KEPT_S:
                return self._kept[1]
            now_ms, left = int(time.time() * 1000), self._waiting() if self._waiting else 0
            readings = await self._reader.read(now_ms)
            alerts = await self._known_alerts()
            behind = is_behind(left, readings, now_ms)
            moment = Moment(now_ms, ZoneInfo(self._settings.timezone), bounds_of(self._settings), behind)
            found = await asyncio.to_thread(verdicts, readings, moment, opened(Book(alerts or {})))
            shown = None if alerts is None else _shown(alerts)
            self._kept = time.monotonic(), SourcesNow(now_ms, readings, found, shown)
            return self._kept[1]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Somebody looks at it as long as the context is open."""
        with self.poller.watched():
            yield

    async def _known_alerts(self) -> dict[str, Alert] | None:
        if self._alerts is None or time.monotonic() - self._alerts[0] >= ALERTS_KEPT_S:
            found = None if self._ask_alerts is None else await asyncio.to_thread(self._ask_alerts)
            self._alerts = time.monotonic(), found
        return self._alerts[1]


def _shown(alerts: dict[str, Alert]) -> tuple[Alert, ...]:
    """Open ones about sources, the gravest first, then the newest."""
    about = [alert for alert in Book(alerts).open().values() if alert.rule.startswith(ABOUT_SOURCES)]
    return tuple(sorted(about, key=lambda a: (a.severity != "critical", -a.raised_ms, a.alert_id)))
