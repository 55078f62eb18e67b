"""The page Customer: what has happened with this one?"""

import time
from html import escape

from nicegui import ui

from pipeline.serve import present, read_customer
from pipeline.serve.board import text
from pipeline.serve.board.layout import Shared, View, frame
from pipeline.serve.board.story import facts, scores, timeline
from pipeline.serve.board.widgets import Html, Text, panel
from pipeline.serve.clickhouse import QueryFailed, Unavailable
from pipeline.serve.identify import Meaning
from pipeline.serve.read_customer import Cursor, Customer, Page, Story

LOOK_AGAIN_S = 3.0
PAGE_TOUCHPOINTS = 100


class CustomerPage:
    """One person; reads again when the stored view has a new version."""

    def __init__(self, shared: Shared, view: View, person: str) -> None:
        self._shared = shared
        self._view = view
        self._person = person
        self._version: int | None = None
        self._cursor = _cursor(ui.context.client.request.query_params.get("before"))
        with frame(shared, view, "customer", lambda: None):
            with ui.element("section").classes("panel s12"):
                with ui.element("div").classes("head"):
                    Text("h1", person[:40], "mono")
                    self._as_of = Text("div", "", "dim")
                self._facts = Html()
                self._trouble = Text("div", "", "fault")
            with ui.element("div").classes("parts hidden") as self._parts:
                with panel("Scores of this person", "s7"):
                    self._scores = Html("scrolls")
                with panel("Identifiers: namespace and keyed hash", "s5"):
                    self._cells = Html("scrolls")
                with panel("Timeline, newest first, by journey and session", "s12"):
                    self._timeline = Html()
                    self._older = Text("a", "", "more hidden")
        ui.timer(LOOK_AGAIN_S, self.fill, immediate=False)

    async def fill(self) -> None:
        """Read and show everything, if there is a newer version than the one that is shown."""
        source = self._shared.context.source
        try:
            found = await read_customer.find(source, Meaning(self._person, ()))
            if not found:
                self._trouble.say(
                    "Nobody is known by this name. Perhaps it was merged into another: look for one of the person's identifiers."
                )
                return
            if found[0].version == self._version:
                self._trouble.say("")
                return
            page = Page(self._cursor, PAGE_TOUCHPOINTS)
            story = await read_customer.story(source, found[0], page)
        except (Unavailable, QueryFailed) as error:
            self._trouble.say(f"{error}. This page tries again by itself.")
            return
        self._trouble.say("")
        self._version = found[0].version
        self._show(found[0], story)

    def _show(self, customer: Customer, story: Story) -> None:
        zone, now = self._shared.zone, time.time()
        self._as_of.say(f"as of {text.clock(now, zone, now)}")
        self._facts.show(facts(customer, zone))
        self._scores.show(scores(story, zone))
        cells = "".join(f'<div class="mono">{escape(_short(cell))}</div>' for cell in customer.cells)
        self._cells.show(cells)
        self._timeline.show(timeline(story, zone))
        last = story.touches[-1] if story.touches else None
        if story.more and last:
            cursor = present.cursor_text(Cursor(last["occurred_ms"], last["event_id"]))
            address = self._view.link(f"/customer/{customer.person}", window="", before=cursor)
            self._older.say("Older touchpoints")
            self._older.props(f'href="{address}"').classes(remove="hidden")
        self._parts.classes(remove="hidden")


def _cursor(asked: str | None) -> Cursor | None:
    try:
        return present.cursor_of(asked) if asked else None
    except ValueError:
        return None


def _short(cell: str) -> str:
    namespace, _, digest = cell.partition(":")
    return f"{namespace}:{digest[:8]}…"
