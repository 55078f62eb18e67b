"""What the bytes of a rejected record hold, as far as they can be read. Pure but for the registry that the decoders ask.

It may be personal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.codec import Decoder, Record
from pipeline.events import Rejection
from pipeline.intake.reading import loaded
from pipeline.redrives import Rejected

SHOWN_BYTES: Final = 256
SHOWN_TEXT: Final = 65_536
DEEPEST: Final = 64
"""What is nested more deeply is shown as text: not everything that writes JSON goes deeper than some hundred."""


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
    """What the bytes say, where every reader takes it alike and it can be written again; else None, and they are shown instead."""
    value = loaded(payload)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return value if _is_shallow(value) else None


def _is_shallow(value: Any) -> bool:
    held = [value]
    for _ in range(DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in held if isinstance(one, dict | list)]
        held = [one for each in inner for one in each]
    return not held
