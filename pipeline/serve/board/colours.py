"""Colours that mean the same everywhere. Everything that differs between light and dark stands in board.css instead."""

from typing import Final

CHANNELS: Final = {
    "call": "#e8a33d",
    "web": "#4c9be8",
    "email": "#9a7fe0",
    "app": "#3fb68b",
    "chat": "#d95f92",
    "sms": "#2e98ab",
    "letter": "#a5784c",
    "social": "#7f8c2e",
    "store": "#d0643c",
    "device": "#5f78b8",
    "other": "#7d8590",
}
"""Each by its channel; names stand beside the colour wherever it is used."""

DIM: Final = "var(--dim)"
TEXT: Final = "var(--text)"
LINE: Final = "var(--line)"
PANEL: Final = "var(--panel)"


def channel(name: str) -> str:
    """The channel's colour."""
    return CHANNELS.get(name, CHANNELS["other"])
