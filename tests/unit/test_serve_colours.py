"""Contrast as WCAG 2.2 reckons it: text 4.5 to 1, shapes 3 to 1."""

import re

import pytest

from pipeline.serve.board.colours import CHANNELS
from pipeline.serve.board.layout import ASSETS

GIVEN = ("call", "web", "email", "app")
CSS = (ASSETS / "board.css").read_text()


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def variables(selector: str) -> dict[str, str]:
    block = CSS.split(selector, 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


LIGHT, DARK = variables(":root {"), variables(':root[data-theme="dark"] {')


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["text", "dim", "good", "bad", "amber", "link"])
@pytest.mark.parametrize("ground", ["panel", "bg"])
def test_text_can_be_read(theme: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_banners_can_be_read(theme: dict[str, str]) -> None:
    assert contrast(theme["text"], theme["amber-bg"]) >= 4.5
    assert contrast(theme["text"], theme["bad-bg"]) >= 4.5


@pytest.mark.parametrize("channel", [name for name in CHANNELS if name not in GIVEN])
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_channels_stand_out_from_the_panel(theme: dict[str, str], channel: str) -> None:
    assert contrast(CHANNELS[channel], theme["panel"]) >= 3


def test_no_two_channels_look_alike() -> None:
    def apart(a: str, b: str) -> float:
        return sum(abs(int(a[i : i + 2], 16) - int(b[i : i + 2], 16)) for i in (1, 3, 5))

    names = list(CHANNELS)
    assert all(apart(CHANNELS[a], CHANNELS[b]) > 60 for i, a in enumerate(names) for b in names[i + 1 :])


def test_both_ways_to_dark_are_the_same() -> None:
    assert variables(":root:not([data-theme]) {") == DARK
