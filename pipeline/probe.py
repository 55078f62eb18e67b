"""The process `probe`: sends a touchpoint of the installation's own every few seconds and measures when it can be queried.

It goes the way of every touchpoint and is stored and counted like one, because a way of its own would measure something else.
That is why nobody gets it who has not asked for it.
"""

import asyncio
import logging
import signal
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from prometheus_client import CollectorRegistry

from pipeline import metrics
from pipeline.config import PROBE_INTERVAL_S, Settings, installation_secret
from pipeline.events import Identifier, Touchpoint
from pipeline.exposition import counter, histogram
from pipeline.keys import Keyring
from pipeline.pauses import at_most
from pipeline.produce import ProduceError, TouchpointProducer
from sinks.clickhouse import ClickHouse, Unavailable

logger = logging.getLogger("touchstream.probe")
OVERDUE_S: Final = 60.0
DELIVERY_TIMEOUT_S: Final = 15.0
# Asking costs, so it becomes rarer: what is found late is measured less finely.
FIRST_LOOK_S, LATER, LAST_LOOK_S = 0.05, 1.2, 1.0
SOURCE: Final = "touchstream"
EVENT_TYPE: Final = "probe.sent"
WHO: Final = ("probe", "installation")
_VISIBLE: Final = """SELECT 1 FROM touchpoints
    WHERE cell = %(cell)s AND occurred_at = fromUnixTimestamp64Milli(%(sent_at)s) AND event_id = %(event_id)s LIMIT 1"""


class Outcome(StrEnum):
    """What became of a probe."""

    VISIBLE = "visible"
    OVERDUE = "overdue"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Course:
    """How long a probe took, and for how long to look for it: seconds."""

    outcome: Outcome
    seconds: float


def touchpoint(event_id: str, sent_at: int) -> Touchpoint:
    """The probe, sent at `sent_at`, milliseconds since epoch, UTC."""
    return Touchpoint(
        event_id=event_id,
        event_type=EVENT_TYPE,
        channel="other",
        occurred_at=sent_at,
        sent_at=sent_at,
        source=SOURCE,
        identifiers=[Identifier(*WHO)],
        actor_type="system",
    )


async def course(
    send: Callable[[Touchpoint], Awaitable[None]],
    visible: Callable[[Touchpoint], Awaitable[bool]],
    overdue_s: float = OVERDUE_S,
) -> Course:
    """Send one probe and look for it until it is there or `overdue_s` seconds are over. Raises what `send` and `visible` raise."""
    began = time.monotonic()
    probe = touchpoint(f"probe-{uuid.uuid4()}", time.time_ns() // 1_000_000)
    await send(probe)
    pause = FIRST_LOOK_S
    while True:
        seen = await visible(probe)
        seconds = time.monotonic() - began
        if seen or seconds > overdue_s:
            return Course(Outcome.VISIBLE if seen else Outcome.OVERDUE, seconds)
        await asyncio.sleep(pause)
        pause = min(LAST_LOOK_S, pause * LATER)


class Probe:
    """Sends and looks until it is told to stop. Trouble with a server is said once and counted, and never ends it."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._cell = Keyring(installation_secret(settings)).cell(*WHO)
        self._database = ClickHouse(settings)
        self._interval_s = settings.probe_interval_s or PROBE_INTERVAL_S
        self._stopping = asyncio.Event()
        self._trouble = ""
        self._seconds = histogram(metrics.PROBE_SECONDS, registry)
        self._outcomes = counter(metrics.PROBES, registry)

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises Refused (ClickHouse has no such table), RegistryUnavailable, SchemaUnknown, OSError."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            while not self._stopping.is_set():
                try:
                    async with TouchpointProducer(self._settings, delivery_timeout=DELIVERY_TIMEOUT_S) as producer:
                        await self._probe(producer)
                except ProduceError as trouble:
                    self._outcomes.labels(Outcome.UNSENT).inc()
                    self._say(str(trouble))
                    await at_most(self._stopping, self._interval_s)
        finally:
            self._database.close()

    async def _probe(self, producer: TouchpointProducer) -> None:
        async def send(probe: Touchpoint) -> None:
            await producer.send(probe)
            await producer.flush()

        while not self._stopping.is_set():
            task = asyncio.ensure_future(course(send, self._visible))
            stopped = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not task.done():
                task.cancel()
                return
            self._note(found := task.result())
            await at_most(self._stopping, max(0.0, self._interval_s - found.seconds))

    def _note(self, found: Course) -> None:
        self._outcomes.labels(found.outcome).inc()
        if found.outcome is Outcome.VISIBLE:
            self._seconds.observe(found.seconds)
            self._trouble = ""
        else:
            self._say(f"a probe cannot be queried after {found.seconds:.0f} s")

    async def _visible(self, probe: Touchpoint) -> bool:
        parameters: dict[str, Any] = {"cell": self._cell, "sent_at": probe.sent_at, "event_id": probe.event_id}
        try:
            return bool(await asyncio.to_thread(self._database.query, _VISIBLE, parameters))
        except Unavailable as trouble:
            self._say(str(trouble))
            return False

    def _say(self, trouble: str) -> None:
        if not self._trouble:
            logger.warning("%s; going on", trouble)
        self._trouble = trouble


def run(settings: Settings, registry: CollectorRegistry) -> None:
    """Probe until SIGTERM or SIGINT; see `Probe.run`. Raises NotRunning as well."""

    async def go() -> None:
        await Probe(settings, registry).run()

    asyncio.run(go())
