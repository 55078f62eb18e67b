"""Words and numbers on the board."""

from zoneinfo import ZoneInfo

import pytest

from pipeline.serve.board import html, text
from pipeline.serve.overall import Answers, Reading, Scale, readings
from pipeline.serve.periods import PERIODS, POINTS, span
from pipeline.serve.read_period import Persons

NOW = 1_760_000_000_000
CSAT = Scale("csat", 1, 5, "high_is_good")
NPS = Scale("nps", 0, 10, "high_is_good")


def reading(scale: Scale, now: dict[int, int], before: dict[int, int]) -> Reading:
    rows = [Answers(scale, 5, value, n) for value, n in now.items()]
    rows += [Answers(scale, -5, value, n) for value, n in before.items()]
    return next(r for r in readings(rows, span(PERIODS["30d"], NOW)) if r.scale == scale)


def test_a_fall_outside_the_interval_is_down_in_sign_word_and_tone() -> None:
    tile = text.score_tile(reading(CSAT, {5: 500, 1: 500}, {5: 700, 1: 300}), PERIODS["30d"])
    assert tile.number == "50%"
    assert tile.beside == "47\u201353   n 1\u202f000"
    assert tile.change == "▼ 20 on the 30 d before, outside"
    assert tile.tone == "down"
    assert not tile.faint


def test_a_change_inside_the_interval_has_no_colour() -> None:
    tile = text.score_tile(reading(NPS, {10: 52, 0: 48}, {10: 50, 0: 50}), PERIODS["30d"])
    assert tile.number == "+4"
    assert tile.change == "▲ 4 on the 30 d before, inside the interval"
    assert tile.tone == "dim"


def test_a_negative_score_has_a_minus_and_zero_no_sign() -> None:
    assert text.score_tile(reading(NPS, {10: 30, 0: 70}, {}), PERIODS["30d"]).number == "\u221240"
    assert text.score_tile(reading(NPS, {10: 50, 0: 50}, {}), PERIODS["30d"]).number == "0"


def test_few_answers_are_faint_and_tell_no_change() -> None:
    tile = text.score_tile(reading(NPS, {10: 29}, {0: 29}), PERIODS["30d"])
    assert tile.faint
    assert tile.tone == "dim"
    assert "fewer than 30" in tile.change


def test_no_answers_show_no_number() -> None:
    tile = text.score_tile(reading(NPS, {}, {0: 29}), PERIODS["30d"])
    assert (tile.number, tile.beside, tile.faint) == ("\u2013", "no answers", True)


def test_persons_are_counted_and_neither_direction_is_good() -> None:
    cut = span(PERIODS["7d"], NOW)
    tile = text.persons_tile(Persons(cut, 1200, 1100, 48_210, NOW, (0,) * POINTS), PERIODS["7d"])
    assert (tile.number, tile.beside, tile.tone) == ("1\u202f200", "of 48\u202f210", "dim")
    assert tile.change == "▲ 100 on the 7 d before, counted"


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [
        ("EUR", 12990, "129.90 EUR"),
        ("EUR", -5, "\u22120.05 EUR"),
        ("JPY", 5000, "5\u202f000 JPY"),
        ("KWD", 1, "0.001 KWD"),
    ],
)
def test_money_has_its_currencys_places(currency: str, minor: int, shown: str) -> None:
    assert text.money(currency, minor) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.8, "0.8 s"), (42, "42 s"), (600, "10 min"), (7_300, "2 h"), (400_000, "5 d")]
)
def test_seconds(value: float, shown: str) -> None:
    assert text.seconds(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0/s"), (0.02, "1.2/min"), (3.14, "3.1/s"), (1234.4, "1\u202f234/s")])
def test_rates(value: float, shown: str) -> None:
    assert text.rate(value) == shown


def test_a_share_that_is_not_zero_never_looks_like_zero() -> None:
    assert text.share(0.00001) == "< 0.1%"
    assert text.share(0) == "0.0%"


def test_days_other_than_today_are_named() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert text.clock(0, zone, NOW / 1000) == "1970-01-01 01:00"
    assert text.clock(NOW / 1000 - 1, zone, NOW / 1000) == "10:53:19"


def test_what_sources_call_themselves_cannot_become_markup() -> None:
    assert "<script>" not in html.chip("<script>")
    assert "<script>" not in html.path(["<script>"])
    assert "<script>" not in html.legend(["<script>"])


def test_a_long_path_shows_its_end_and_says_what_is_hidden() -> None:
    shown = html.path(["web"] * 7 + ["call"])
    assert "4 earlier" in shown
    assert shown.count("</i>") == 4
    assert "earlier" not in html.path(["web"] * 5)
