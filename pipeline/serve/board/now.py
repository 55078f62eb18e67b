"""The page Now: is anything wrong, and where?"""

import time

from nicegui import ui

from pipeline.serve.board import charts, text
from pipeline.serve.board.layout import Shared, View, frame
from pipeline.serve.board.panels import ArrivalsPanel, JourneysPanel, SourcesPanel, StepsPanel
from pipeline.serve.board.widgets import Text, Tile
from pipeline.serve.freshness import State
from pipeline.serve.overall import STANDARD
from pipeline.serve.periods import PERIODS


class NowPage:
    """All panels of the page; `tick` brings them up to date with what the pollers know."""

    def __init__(self, shared: Shared, view: View) -> None:
        self._shared = shared
        self._view = view
        self._period = PERIODS[view.window]
        self._pollers = shared.context.hub.periods[view.window]
        with frame(shared, view, "now", self.tick):
            self._empty = _empty()
            self._tiles = {scale.metric: Tile(text.TITLES[scale.metric]) for scale in STANDARD}
            self._persons = Tile("Persons seen")
            self._arrivals = ArrivalsPanel(shared.zone)
            self._journeys = JourneysPanel(shared.zone, view)
            self._steps = StepsPanel(self._period)
            self._sources = SourcesPanel(shared.zone, view)
        self._is_empty = False

    def tick(self) -> None:
        """Show what is known now."""
        hub, now = self._shared.context.hub, time.time()
        empty = hub.freshness(now).state == State.EMPTY
        if empty != self._is_empty:
            self._is_empty = empty
            self._empty.classes(add="" if empty else "hidden", remove="hidden" if empty else "")
        self._show_scores()
        if hub.pulse.value:
            self._arrivals.show(hub.pulse.value)
        if hub.recent.value is not None:
            self._journeys.show(hub.recent.value, now)
        if self._pollers.flow.value is not None:
            self._steps.show(self._pollers.flow.value)
        self._sources.show(hub, now)

    def _show_scores(self) -> None:
        found, persons = self._pollers.scores.value, self._pollers.persons.value
        if found is not None:
            for reading in found.readings:
                tile = self._tiles.get(reading.scale.metric) if reading.scale in STANDARD else None
                if tile:
                    missing = reading.now.n == 0 and self._period.length_ms is not None
                    elsewhere = self._elsewhere(found.newest_ms) if missing else ("", "")
                    course = charts.sparkline(reading.scale.metric, reading)
                    tile.show(text.score_tile(reading, self._period), course, elsewhere)
        if persons is not None:
            missing = persons.active == 0 and self._period.length_ms is not None
            elsewhere = self._elsewhere(persons.newest_ms) if missing else ("", "")
            self._persons.show(text.persons_tile(persons, self._period), charts.counts(persons.course), elsewhere)

    def _elsewhere(self, newest_ms: int | None) -> tuple[str, str]:
        if newest_ms is None:
            return "", ""
        words = f"the newest is of {text.day(newest_ms, self._shared.zone)}: show all time"
        return words, self._view.link("/", window="all")


def _empty() -> ui.element:
    with ui.element("section").classes("panel empty hidden") as panel:
        Text("h2", "No touchpoints yet")
        with ui.element("p"):
            Text("span", "Replay real data with ")
            Text("code", "touchstream replay ecom")
        with ui.element("p"):
            Text("span", "or let made-up customers live with ")
            Text("code", "touchstream simulate")
        Text("p", "This page fills by itself as soon as the first touchpoint is stored.")
    return panel
