"""The board in a real browser: live without reload, silent towards other hosts, in both themes."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.harness.board_server import Serving, Stored, serving, stored
from tests.harness.waiting import until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is installed")
PERSONS = 80
QUIET = (
    *("--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored(tmp_path_factory.mktemp("clickhouse")) as made:
        made.world.past(PERSONS, 20, now_ms() - 1000)
        made.world.arrive(40, now_ms(), PERSONS)
        yield made


@pytest.fixture(scope="module")
def server(data: Stored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(data.settings(tmp_path_factory.mktemp("home"))) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*root, *QUIET])
        yield started
        started.close()


@dataclass
class Seen:
    """A page, and what it did that it should not have."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Text of the first element, with plain spaces."""
        return self.page.locator(selector).first.inner_text().replace("\u202f", "")


@contextmanager
def opened(browser: Browser, address: str, theme: str = "dark") -> Iterator[Seen]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme="light" if theme == "light" else "dark"
    )
    page = context.new_page()
    seen = Seen(page)
    host = address.split("/")[2]
    page.on("console", lambda m: seen.faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: seen.faults.append(str(e)))
    page.on("request", lambda r: None if r.url.split("/")[2] == host else seen.faults.append(f"asked {r.url}"))
    page.on("websocket", lambda w: None if w.url.split("/")[2] == host else seen.faults.append(f"asked {w.url}"))
    page.goto(address)
    page.wait_for_selector("#content")
    yield seen
    assert seen.faults == []
    context.close()


def now_ms() -> int:
    return int(time.time() * 1000)


def test_an_empty_board_says_what_to_do_and_fills_by_itself(browser: Browser, tmp_path: Path) -> None:
    with (
        stored(tmp_path / "clickhouse") as data,
        serving(data.settings(tmp_path / "home")) as server,
        opened(browser, f"{server.url}/") as seen,
    ):
        until(lambda: seen.page.is_visible("text=No touchpoints yet"), 20, "the empty board")
        assert seen.page.is_visible("text=touchstream replay ecom")
        assert seen.page.is_visible("text=touchstream simulate")
        data.world.past(PERSONS, 20, now_ms() - 1000)
        data.world.arrive(40, now_ms(), PERSONS)
        until(lambda: not seen.page.is_visible("text=No touchpoints yet"), 20, "the first touchpoints")
        known = sum(1 for touches in data.world.touches.values() if touches)
        until(lambda: f"of {known}" in seen.text("section:has(h2:has-text('Persons seen'))"), 30, "the persons")


def test_numbers_change_without_reload(browser: Browser, server: Serving, data: Stored) -> None:
    with opened(browser, f"{server.url}/?window=7d") as seen:
        until(lambda: "stored" in seen.text(".sum"), 30, "the account")
        seen.page.evaluate("window.notReloaded = true")
        until(lambda: "n " in seen.text("section:has(h2:has-text('NPS')) .beside"), 30, "a score")
        before = seen.text(".sum"), seen.text("section:has(h2:has-text('NPS'))"), seen.text(".rows")
        data.world.arrive(400, now_ms(), PERSONS)
        data.world.reject("cx.touchpoints.web.v1", "decode", 7, now_ms())
        until(lambda: seen.text(".sum") != before[0] and "rejected 7" in seen.text(".sum"), 30, "the account to change")
        until(lambda: seen.text("section:has(h2:has-text('NPS'))") != before[1], 30, "the score to change")
        until(lambda: seen.text(".rows") != before[2], 30, "the newest journeys to change")

        def is_live() -> bool:
            data.world.arrive(2, now_ms(), PERSONS)
            return "live" in seen.text(".pill")

        until(is_live, 30, "live data")
        assert seen.page.evaluate("window.notReloaded") is True
        stored_now = data.world.client.execute("SELECT count() FROM touchpoints FINAL")[0][0]
        until(lambda: f"stored {stored_now}" in seen.text(".sum"), 30, "the sum of what is stored")


def test_sums_of_the_flow_are_equal_and_right(browser: Browser, server: Serving, data: Stored) -> None:
    with opened(browser, f"{server.url}/?window=all") as seen:
        ((journeys,),) = data.world.client.execute("SELECT count() FROM journeys FINAL")
        wanted = f"began {journeys} = {journeys}"
        until(lambda: wanted in seen.text("h2:has-text('step by step'), h2:has-text('first four')"), 30, wanted)
        until(lambda: seen.page.locator(".chart svg path").count() > 5, 20, "charts are drawn")


def test_from_a_journey_to_its_customer_by_keyboard(browser: Browser, server: Serving) -> None:
    with opened(browser, f"{server.url}/") as seen:
        until(lambda: seen.page.locator(".rows a.item:visible").count() > 0, 30, "journeys")
        seen.page.locator(".rows a.item").first.focus()
        person = str(seen.page.locator(".rows a.item").first.get_attribute("href")).rpartition("/")[2]
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url(f"**/customer/{person}", timeout=20_000)
        until(lambda: seen.page.locator(".touch").count() > 0, 20, "the timeline")
        assert person in seen.text("h1")
        assert "Journey of" in seen.text(".way h3")


def test_a_customer_is_found_without_leaving_a_trace_in_the_address(
    browser: Browser, server: Serving, data: Stored
) -> None:
    number = next(n for n in data.world.touches if n % 3 == 0 and data.world.touches[n])
    email = data.world.identifiers(number)[1][1]
    with opened(browser, f"{server.url}/customers") as seen:
        seen.page.fill("#identifier", "email:unknown@mail.example")
        seen.page.keyboard.press("Enter")
        until(lambda: seen.page.is_visible("text=Nobody is known"), 20, "that nobody is known")
        seen.page.fill("#identifier", email)
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url(f"**/customer/{data.world.person(number)}", timeout=20_000)
        assert "mail.example" not in seen.page.url
        until(lambda: seen.page.locator(".touch").count() > 0, 20, "the timeline")
        assert email not in seen.page.content()


def test_sources_are_listed_with_their_state(browser: Browser, server: Serving, data: Stored) -> None:
    with opened(browser, f"{server.url}/sources") as seen:
        until(lambda: "pbx-north" in seen.text(".scrolls"), 20, "the sources")
        assert "new" in seen.text(".scrolls")
        assert "Kafka does not tell" in seen.text("section:has(h2:has-text('Open alerts'))")
        assert seen.page.locator('nav a[aria-current="page"]').inner_text() == "Sources"


def test_an_unknown_customer_is_told(browser: Browser, server: Serving) -> None:
    with opened(browser, f"{server.url}/customer/p_00000000000000000000") as seen:
        until(lambda: seen.page.is_visible("text=Nobody is known by this name"), 20, "that nobody is known")


@pytest.mark.parametrize(
    ("system", "asked", "ground"),
    [
        ("light", "", "rgb(246, 247, 249)"),
        ("dark", "", "rgb(14, 17, 22)"),
        ("dark", "?theme=light", "rgb(246, 247, 249)"),
        ("light", "?theme=dark", "rgb(14, 17, 22)"),
    ],
)
def test_themes_follow_the_system_unless_the_address_says_otherwise(
    browser: Browser, server: Serving, system: str, asked: str, ground: str
) -> None:
    with opened(browser, f"{server.url}/{asked}", system) as seen:
        until(lambda: "stored" in seen.text(".sum"), 30, "the account")
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900), (1920, 1080), (3840, 2160)])
def test_nothing_runs_out_of_the_page_at_any_width(browser: Browser, server: Serving, width: int, height: int) -> None:
    with opened(browser, f"{server.url}/") as seen:
        seen.page.set_viewport_size({"width": width, "height": height})
        until(lambda: "stored" in seen.text(".sum"), 30, "the account")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        number = seen.page.evaluate("parseFloat(getComputedStyle(document.querySelector('.number')).fontSize)")
        assert number >= (52 if width >= 1440 else 46) * 0.99


def test_a_page_that_has_lost_its_server_says_so(
    browser: Browser, data: Stored, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(data.settings(tmp_path_factory.mktemp("home"))) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/")
        until(lambda: page.locator(".sum").inner_text(), 30, "the account")
        assert not page.is_visible("#lost")
        assert server.stop() == 0
        until(lambda: page.is_visible("#lost"), 20, "that the server is gone")
        context.close()
