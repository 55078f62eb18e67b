"""The page Customers: find one by any of their identifiers, which never enters an address or a log."""

import time

from nicegui import ui
from nicegui.events import GenericEventArguments

from pipeline.serve import read_customer
from pipeline.serve.board import text
from pipeline.serve.board.layout import Shared, View, frame
from pipeline.serve.board.panels import JourneysPanel
from pipeline.serve.board.widgets import Text, panel
from pipeline.serve.clickhouse import QueryFailed, Unavailable
from pipeline.serve.identify import Unreadable, meaning

READ_FIELD = "(e) => { e.preventDefault(); emit(new FormData(e.target).get('identifier')); }"


def customers_page(shared: Shared, view: View) -> None:
    """Build the page."""
    recent: list[JourneysPanel] = []

    def tick() -> None:
        found = shared.context.hub.recent.value
        if found is not None and recent:
            recent[0].show(found, time.time())

    async def look_up(event: GenericEventArguments) -> None:
        typed = event.args if isinstance(event.args, str) else ""
        fault.say("")
        person, words = await _find(shared, typed)
        if person:
            ui.navigate.to(view.link(f"/customer/{person}", window=""))
        else:
            fault.say(words)

    with frame(shared, view, "customers", tick):
        with panel("Find a customer", "s8"):
            with (
                ui.element("form")
                .classes("find")
                .props('autocomplete="off"')
                .on("submit", look_up, js_handler=READ_FIELD)
            ):
                Text("label", "Identifier", "unseen").props('for="identifier"')
                ui.element("input").props(
                    'id="identifier" name="identifier" type="text" autofocus maxlength="300" spellcheck="false" '
                    'placeholder="email:ada@example.org, customer:1024, or p_…"'
                )
                Text("button", "Find").props('type="submit"')
            fault = Text("div", "", "fault").props('role="alert"')
            Text(
                "div",
                "Write namespace:value, or a bare value, which is tried in every namespace. What you type is turned into a keyed "
                "hash here and stored nowhere.",
                "dim",
            )
        recent.append(JourneysPanel(shared.zone, view))


async def _find(shared: Shared, typed: str) -> tuple[str, str]:
    """(person, "") when exactly one is meant, else ("", what is wrong)."""
    try:
        found = await read_customer.find(shared.context.source, meaning(typed, shared.context.keyring))
    except (Unreadable, Unavailable, QueryFailed) as error:
        return "", f"{error}."
    if not found:
        return "", "Nobody is known by this identifier."
    if len(found) > 1:
        names = ", ".join(text.person(customer.person) for customer in found)
        return "", f"This names several persons ({names}): write the namespace before it."
    return found[0].person, ""
