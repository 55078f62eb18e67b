"""What the bytes of a rejected record hold, as far as they can be read. Pure but for the registry that the decoders ask.

It may be personal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.codec import Decoder, Record
from pipeline.events import Rejection
from pipeline.redrives import Rejected

SHOWN_BYTES: Final = 256
SHOWN_TEXT: Final = 65_536


@dataclass(frozen=True, slots=True)
class Content:
    """Of how many bytes it is, and one of these: its fields, itself where it is text, or how its bytes begin, in hexadecimal."""

    size: int
    record: Record | None = None
    text: str | None = None
    begins_with: str | None = None


def content(one: Rejected, decoders: Mapping[str, Decoder]) -> Content:
    """The content of a whole rejected record. Raises RegistryUnavailable."""
    payload = one.payload
    if payload.startswith(b"\0"):
        for decoder in decoders.values():
            record = decoder.decode(payload)
            if not isinstance(record, Rejection):
                return Content(len(payload), {name: v for name, v in record.items() if v not in (None, {}, [])})
        return Content(len(payload), begins_with=payload[:SHOWN_BYTES].hex())
    value = _json(payload)
    if isinstance(value, dict):
        return Content(len(payload), value)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = "\0"
    if one.stage != "intake" or not text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        return Content(len(payload), begins_with=payload[:SHOWN_BYTES].hex())
    return Content(len(payload), text=text[:SHOWN_TEXT])


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
