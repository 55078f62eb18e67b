"""What an entry of the corpus is, and the good events and records that stand beside the bad ones."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.harness.touchpoints import touchpoint, wire

ACCEPTED: Final = "accepted"
JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
AVRO: Final = "application/avro"
PERSON: Final = "Zuckerwatte"
"""Stands in every event where something personal would, and may be in no answer but as an event's own id."""
Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A body, and the answer to it: for 202 and 422 a code for each event, or `ACCEPTED`; otherwise the one code of the fault.

    `make` gives the bytes; `headers` are sent besides the media type; `mapping` names the mapping of the key that it is sent with.
    """

    name: str
    kind: str
    make: Make
    status: int
    codes: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    mapping: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One JSON event that is none. `alone`: among the elements of a list it would make the whole list unreadable."""

    name: str
    body: bytes
    code: str
    alone: bool = False


def event(event_id: str, now: int, /, **changes: Any) -> dict[str, Any]:
    """A good event but for what `changes` says."""
    whole = {
        "event_id": event_id,
        "event_type": "page.viewed",
        "channel": "web",
        "occurred_at": now,
        "identifiers": [{"namespace": "customer", "value": PERSON}],
    }
    return {**whole, **changes}


def said(value: Any) -> bytes:
    """A value as JSON."""
    return json.dumps(value).encode()


def record(event_id: str, now: int, **changes: Any) -> bytes:
    """A good record on the wire but for what `changes` says; its source is that of the corpus's key."""
    named = {"identifiers": [{"namespace": "customer", "value": PERSON}], "source": "load"}
    return wire(touchpoint(event_id=event_id, occurred_at=now, **{**named, **changes}))


def verdict(codes: Sequence[str]) -> int:
    """The status of an answer with these codes."""
    return 202 if ACCEPTED in codes or not codes else 422
