"""What a request's body holds: its events, one by one, each with its own bytes. Pure.

A body is split before any event of it is read, so that a bad event costs only itself. Lines of their own (NDJSON) part better than
a list, in which a missing bracket makes the whole unreadable.
"""

import re
from functools import cache
from typing import Any, Final, Literal

import msgspec

from pipeline.events import Reason, Rejection

Form = Literal["json", "lines", "avro"]
FORMS: Final[dict[str, Form]] = {
    "application/json": "json",
    "text/plain": "json",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
    "application/avro": "avro",
    "avro/binary": "avro",
}
"""By media type. What `sendBeacon` sends as text is JSON."""
_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])
_line: Final = re.compile(rb"[^\n]+")
_halves: Final = [(b"\\u%c%c" % (d, half), b"\\ue%c" % half) for d in b"dD" for half in b"89abcdefABCDEF"]
_between: Final = re.compile(rb"[ \t\r\n,]*")


class BodyUnreadable(Exception):
    """The body as a whole is not what its media type says."""

    def __init__(self, why: Rejection) -> None:
        super().__init__(why.expected)
        self.why = why


class TooManyEvents(Exception):
    """The body holds more events than a request may."""


class TooMuch(Exception):
    """What would be made of the body is larger than a request may be made to: its events have much in common."""


def form_of(content_type: str) -> Form | None:
    """How a body with this Content-Type header is written; None when nobody here can read it."""
    return FORMS.get(content_type.partition(";")[0].strip().lower())


def json_events(body: bytes, most: int) -> list[bytes]:
    """The elements of a JSON list, or the one JSON value that it is. Raises BodyUnreadable, TooManyEvents."""
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return [body]
    whole = spelt(body)
    try:
        if body.count(b",") >= most:
            _few(most).decode(whole)
        found = _elements.decode(whole)
        return [bytes(element) for element in found] if whole is body else _cut(body, found)
    except msgspec.ValidationError:
        raise TooManyEvents from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BodyUnreadable(Rejection(Reason.JSON, "", "a JSON list", f"{len(body)} bytes that are none")) from None


def spelt(text: bytes) -> bytes:
    """JSON with other letters for half characters, which make the whole unreadable for its decoder: whoever reads the part that
    holds them judges them. All places and sizes are the same, and names that differ still do."""
    if b"\\u" in text:
        for half, other in _halves:
            text = text.replace(half, other)
    return text


def _cut(body: bytes, elements: list[msgspec.Raw]) -> list[bytes]:
    """The list's own bytes of elements that have the same places and sizes there."""
    found, at = list[bytes](), body.index(b"[") + 1
    for element in elements:
        begins = _between.match(body, at).end()  # type: ignore[union-attr]
        at = begins + len(bytes(element))
        found.append(body[begins:at])
    return found


def lines(body: bytes, most: int) -> list[bytes]:
    """The lines that are not blank. Raises TooManyEvents, also when there are more than twice as many with only blanks in them."""
    found: list[bytes] = []
    for number, match in enumerate(_line.finditer(body)):
        line = match.group()
        if line.strip(b" \t\r"):
            found.append(line)
        if len(found) > most or number > 3 * most:
            raise TooManyEvents
    return found


@cache
def _few(most: int) -> "msgspec.json.Decoder[Any]":
    """Reads a list, and stops at once where that goes on behind `most` elements: a list of the other kind is read to its end first,
    and then takes a hundred times the memory of its bytes. Raises msgspec.ValidationError there."""
    fields = [(f"n{number}", msgspec.Raw, None) for number in range(most)]
    return msgspec.json.Decoder(msgspec.defstruct("Few", fields, array_like=True, forbid_unknown_fields=True, gc=False))
