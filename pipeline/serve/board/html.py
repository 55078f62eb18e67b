"""Small pieces of HTML. Whatever came from outside is escaped here, once."""

from collections.abc import Iterable
from html import escape

from pipeline.serve.board import colours

PATH_SHOWN = 5


def chip(channel: str) -> str:
    """A channel: its colour and its name."""
    return f'<span class="chip"><i style="background:{colours.channel(channel)}"></i>{escape(channel)}</span>'


def path(channels: Iterable[str]) -> str:
    """A way through channels, oldest first; of a long one the latest steps, and how many came before."""
    steps = list(channels)
    shown = steps if len(steps) <= PATH_SHOWN else steps[1 - PATH_SHOWN :]
    hidden = len(steps) - len(shown)
    before = f'<span class="chip plain">{hidden} earlier</span>' if hidden else ""
    return f'<span class="chips">{before}{"".join(chip(c) for c in shown)}</span>'


def legend(channels: Iterable[str]) -> str:
    """The channels' colours with their names."""
    keys = (f'<span class="key"><i style="background:{colours.channel(c)}"></i>{escape(c)}</span>' for c in channels)
    return "".join(keys)


def table(head: Iterable[tuple[str, str]], rows: Iterable[Iterable[tuple[str, str]]]) -> str:
    """A table of (class, content) cells; the contents are HTML already."""
    top = "".join(f'<th scope="col" class="{kind}">{text}</th>' for kind, text in head)
    body = "".join("<tr>" + "".join(f'<td class="{kind}">{text}</td>' for kind, text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
