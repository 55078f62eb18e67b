"""What all pages share: colours, head line, navigation, freshness, banner, and the one timer."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from pipeline.serve.api import Context
from pipeline.serve.board import text
from pipeline.serve.board.widgets import Text
from pipeline.serve.freshness import State
from pipeline.serve.periods import DEFAULT, PERIODS
from pipeline.serve.redrives import Redrives

ASSETS: Final = Path(__file__).with_name("assets")
VERSION: Final = blake2b(
    b"".join(path.read_bytes() for path in sorted(ASSETS.iterdir()) if path.is_file()), digest_size=6
).hexdigest()
PAGES: Final = (("Now", "/"), ("Customers", "/customers"), ("Sources", "/sources"), ("Rejected", "/rejected"))
WITH_PERIOD: Final = ("now", "rejected")
TICK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class View:
    """What the address bar says: period, theme (empty: the system's), and the page it is on."""

    path: str
    window: str
    theme: str

    def link(self, path: str, **changes: str) -> str:
        """An address that keeps what this one says, with changes."""
        wanted = {"window": self.window, "theme": self.theme} | changes
        query = {k: v for k, v in wanted.items() if v and (k, v) != ("window", DEFAULT)}
        return f"{path}?{urlencode(query)}" if query else path


def view_of(request: Request) -> View:
    """The view that the address asks for; what it misspells falls back to the default."""
    asked: Mapping[str, str] = request.query_params
    window, theme = asked.get("window", DEFAULT), asked.get("theme", "")
    return View(request.url.path, window if window in PERIODS else DEFAULT, theme if theme in ("dark", "light") else "")


@dataclass(frozen=True, slots=True)
class Shared:
    """What pages draw on."""

    context: Context
    redrives: Redrives
    zone: ZoneInfo


@contextmanager
def frame(shared: Shared, view: View, kind: str, tick: Callable[[], None]) -> Iterator[None]:
    """The frame of a page around its content; `tick` is called at most twice a second while somebody looks."""
    _head(view)
    ui.link("Skip to content", "#content").classes("skip")
    with ui.element("header").classes("bar"):
        ui.link("touchstream", view.link("/")).classes("brand")
        _navigation(view)
        ui.element("div").classes("grow")
        if kind in WITH_PERIOD:
            _periods(view)
        with ui.element("div").classes("pill") as pill:
            dot = ui.element("span").classes("dot")
            words = Text("span", "asking ClickHouse")
    lost = "This page has lost its server: all numbers are old. It comes back by itself when the server does."
    Text("div", lost, "banner bad").props('id="lost" role="alert"')
    banner = Text("div", "", "banner").props('role="status" aria-live="polite"')
    beat = Text("span", "0", "unseen").props('id="beat" aria-hidden="true"')
    with ui.element("div").classes(f"page {kind}").props('id="content"') as page:
        yield
    beats, tone = count(1), ""

    def refresh() -> None:
        nonlocal tone
        now = time.time()
        fresh = shared.context.hub.freshness(now)
        said, new_tone = text.pill(fresh, shared.zone, now)
        words.say(said)
        if new_tone != tone:
            for element in (pill, dot):
                element.classes(add=new_tone, remove=tone)
            tone = new_tone
        banner.say(text.banner(fresh, shared.zone, now), "bad" if fresh.state == State.STALE else "")
        old = fresh.alarm and fresh.state != State.WAITING
        page.classes(add="old" if old else "", remove="" if old else "old")
        beat.say(str(next(beats)))
        tick()

    ui.timer(TICK_S, refresh)


def _head(view: View) -> None:
    if view.theme:
        ui.add_head_html(f'<script>document.documentElement.dataset.theme = "{view.theme}";</script>')
    ui.add_head_html(f'<link rel="stylesheet" href="/assets/board.css?{VERSION}">')
    ui.add_head_html(f'<script defer src="/assets/board.js?{VERSION}"></script>')


def _navigation(view: View) -> None:
    with ui.element("nav").classes("nav").props('aria-label="Pages"'):
        for title, path in PAGES:
            link = Text("a", title).props(f'href="{view.link(path)}"')
            if view.path == path or (path == "/customers" and view.path.startswith("/customer")):
                link.props('aria-current="page"')


def _periods(view: View) -> None:
    with ui.element("nav").classes("periods").props('aria-label="Period"'):
        for period in PERIODS.values():
            link = Text("a", period.words).props(f'href="{view.link(view.path, window=period.name)}"')
            if period.name == view.window:
                link.props('aria-current="true"')
