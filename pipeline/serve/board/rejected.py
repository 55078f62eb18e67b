"""The page Rejected: what was not taken, why, and what to do about it."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from nicegui import ui

from pipeline.redrive_judging import NOTHING
from pipeline.redrives import Place, place_of
from pipeline.rejected_rows import Wanted
from pipeline.serve.board import refusals
from pipeline.serve.board.layout import Shared, View, frame
from pipeline.serve.board.widgets import Html, Text, panel
from pipeline.serve.clickhouse import QueryFailed, Unavailable
from pipeline.serve.periods import PERIODS
from pipeline.serve.poller import Pace
from pipeline.serve.redrives import Busy, TooMany

LOOK_AGAIN_S: Final = 3.0
PACE: Final = Pace(LOOK_AGAIN_S)
NEWEST: Final = 30
LONGEST: Final = 300


class RejectedPage:
    """Counts and newest ones, by the reason and source that the address names; and one of them where it names a place."""

    def __init__(self, shared: Shared, view: View, asked: Mapping[str, str]) -> None:
        self._shared = shared
        self._view = view
        self._period = PERIODS[view.window]
        self._chosen = {name: asked.get(name, "")[:LONGEST] for name in ("reason", "source")}
        self._place = _place(asked.get("place", "")[:LONGEST])
        self._record: Html | None = None
        self._not_before = 0.0
        with frame(shared, view, "rejected", lambda: None):
            self._trouble = Text("div", "", "fault s12").props('role="alert"')
            if self._place is not None:
                with panel(f"Rejected at {self._place}", "s12"):
                    self._record = Html()
                    SendAgain(shared, [self._place])
            when = f"of the last {self._period.words}" if self._period.length_ms else "of all time"
            with panel(f"Rejected records {when}, by reason and source", "s5"):
                self._counts = Html("scrolls")
            with panel("The newest of them", "s7") as title:
                self._newest = Html("scrolls")
                if any(self._chosen.values()):
                    title.say(f"The newest of {' · '.join(filter(None, self._chosen.values()))}")
                    Text("a", "show all", "plain dim").props(f'href="{view.link("/rejected")}"')
                    SendAgain(shared, self._wanted())
        ui.timer(LOOK_AGAIN_S, self.fill, immediate=False)

    async def fill(self) -> None:
        """Read and show everything; not before ten times as long as it took has passed, so that it keeps no server busy."""
        began = time.monotonic()
        if began < self._not_before:
            return
        await self._fill()
        ended = time.monotonic()
        self._not_before = ended + PACE.wait_s(True, ended - began) - LOOK_AGAIN_S

    async def _fill(self) -> None:
        redrives, zone = self._shared.redrives, self._shared.zone
        try:
            wanted = self._wanted()
            self._counts.show(refusals.counts(*await redrives.counts(wanted.since), self._view))
            _, found = await redrives.find(wanted, NEWEST)
            known = await redrives.ledger()
            self._newest.show(refusals.newest(found, known, self._view, (zone, time.time())))
            if self._place is not None and self._record is not None:
                rows = [refusals.one(*row, known, zone) for row in await redrives.at(self._place)]
                self._record.show("".join(rows) or '<div class="dim">no rejected record has come from there</div>')
        except (Unavailable, QueryFailed) as error:
            self._trouble.say(f"{error}. This page tries again by itself.")
            return
        self._trouble.say("")

    def _wanted(self) -> Wanted:
        length = self._period.length_ms
        since = max(0, int(time.time() * 1000) - length) if length else 0
        return Wanted(reason=self._chosen["reason"], source=self._chosen["source"], since=since)


class SendAgain:
    """Two buttons: the first says what would come of it, and only then the second sends, exactly what the first one named."""

    def __init__(self, shared: Shared, which: Sequence[Place] | Wanted) -> None:
        self._shared = shared
        self._which = which
        self._places: list[Place] = []
        with ui.element("div").classes("again"):
            self._try = Text("button", "Send again\u2026", "more").props('type="button"').on("click", self._look)
            self._send = Text("button", "Yes, send", "more hidden").props('type="button"').on("click", self._go)
            self._words = Text("span", "", "dim").props('role="status" aria-live="polite"')

    async def _look(self) -> None:
        if await self._run(self._which, dry_run=True):
            self._send.classes(remove="hidden" if self._places else "", add="" if self._places else "hidden")

    async def _go(self) -> None:
        places, self._places = self._places, []
        self._send.classes(add="hidden")
        if places:
            await self._run(places, dry_run=False)

    async def _run(self, which: Sequence[Place] | Wanted, *, dry_run: bool) -> bool:
        self._words.say("looking\u2026" if dry_run else "sending\u2026")
        try:
            outcomes = await self._shared.redrives.run(which, NOTHING, dry_run=dry_run)
        except (Busy, TooMany, Unavailable) as error:
            self._words.say(f"Not sent: {error}" if dry_run else f"{error}. Try again: nothing is sent twice.")
            return False
        self._places = refusals.sendable(outcomes)
        self._words.say(refusals.told(outcomes, self._shared.zone))
        return True


def _place(asked: str) -> Place | None:
    try:
        return place_of(asked)
    except ValueError:
        return None
