"""A process looks at itself: how far it is behind, and whether it still gets on. In a thread of its own, with a connection of its
own, so that it sees a fold that blocks and a loop that has died."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pipeline.exposition import Lags
from pipeline.meter import Signs
from pipeline.standing import Onlooker, Place, Standing, Unanswered
from pipeline.watchdog import Lane, Look, Memory, Patience, judge

logger = logging.getLogger("touchstream.watchdog")
EX_SOFTWARE: Final = 70
LOOKS_PER_PATIENCE: Final = 12
BOUNDS_S: Final = (0.5, 5.0)
# A server that was told to be away so lately may still be: the longest pause before another try is ten seconds.
OUTAGE_S: Final = 30.0
STOP_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to look at: what the group is called, which partitions the process has now, and which lane works through each."""

    bootstrap: str
    group: str
    places: Callable[[], frozenset[Place]]
    lane_of: Callable[[Place], str]
    signs: Signs = field(default_factory=Signs)


class SelfCheck:
    """Looks every few seconds. `patience` of 0 seconds measures and never ends the process."""

    def __init__(self, subject: Subject, lags: Lags, patience: Patience) -> None:
        self._subject = subject
        self._lags = lags
        self._patience = patience
        self._memory = Memory()
        self._stopping = threading.Event()
        least, most = BOUNDS_S
        self._interval_s = min(most, max(least, patience.seconds / LOOKS_PER_PATIENCE)) if patience.seconds else most
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="self-check", daemon=True)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Look for as long as the context lasts."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join(STOP_TIMEOUT_S)

    async def _run(self) -> None:
        try:
            await self._look_on()
        finally:
            self._lags.note({})  # better no figure than an old one

    async def _look_on(self) -> None:
        while not self._stopping.is_set():
            try:
                async with Onlooker(self._subject.bootstrap, self._subject.group) as onlooker:
                    while not self._stopping.is_set():
                        self._take_in(await onlooker.look(self._subject.places()))
                        await self._pause()
            except Unanswered as trouble:
                logger.debug("%s", trouble)
                self._lags.note({})
                self._judge(Look(time.monotonic(), {}, 0, str(trouble)))
                await self._pause()

    async def _pause(self) -> None:
        end = time.monotonic() + self._interval_s
        while not self._stopping.is_set() and time.monotonic() < end:
            await asyncio.sleep(0.1)

    def _take_in(self, found: dict[Place, Standing]) -> None:
        now_ms = time.time() * 1000
        self._lags.note(
            {
                place: (one.waiting, max(0.0, now_ms - one.oldest_ms) / 1000 if one.oldest_ms is not None else 0.0)
                for place, one in found.items()
            }
        )
        signs = self._subject.signs
        self._judge(Look(time.monotonic(), lanes(found, self._subject), signs.inserts, excuse(signs, time.monotonic())))

    def _judge(self, look: Look) -> None:
        if not self._patience.seconds:
            return
        self._memory, stalled = judge(self._memory, look, self._patience)
        if stalled and not self._stopping.is_set():
            logger.critical("%s: the process ends, to be started again", stalled)
            logging.shutdown()
            os._exit(EX_SOFTWARE)


def lanes(found: dict[Place, Standing], subject: Subject) -> dict[str, Lane]:
    """The process's lanes with what waits before each and how far it is, restores included."""
    grouped: dict[str, list[Place]] = {}
    for place in sorted(found):
        grouped.setdefault(subject.lane_of(place), []).append(place)
    return {
        name: Lane(
            sum(found[place].waiting for place in places),
            (*(found[place].committed for place in places), subject.signs.restoring.get(places[0][1], 0)),
        )
        for name, places in grouped.items()
    }


def excuse(signs: Signs, now: float) -> str:
    """Why the process cannot get on, as far as it knows; `now` in seconds on the monotonic clock."""
    if signs.inserting:
        return "an insert is on its way"
    outage_at = signs.outage_at
    away = outage_at is not None and now - outage_at < OUTAGE_S
    return "a server is away" if away else ""
