"""What is put on `rejected.v1` for a record that is no touchpoint: its own bytes, and why. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipeline.codec import HEAD_BYTES
from pipeline.events import Out, Raw, Rejection
from pipeline.topics import REJECTED

ATTEMPT: Final = "cx.attempt"
_COUNT: Final = re.compile(rb"[1-9][0-9]{0,5}")
_WORDS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PARTS: Final = {"source": _WORDS, "event_type": re.compile(r"[a-z][a-z0-9_.]{0,63}"), "channel": _WORDS}
"""What is said of a rejected touchpoint besides, where it has the form of such a name, and so is nothing personal."""


def attempt_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """How often a record has been sent, by its headers; 1 where they do not say so."""
    said = [value for name, value in headers if name == ATTEMPT]
    return int(said[-1]) if said and said[-1] and _COUNT.fullmatch(said[-1]) else 1


def rejected(raw: Raw, why: Rejection, stage: str, record: Mapping[str, Any] | None = None) -> Out:
    """The rejected record of a topic; `record` is what could be read of it. Its headers are those of Kafka Connect, and ours."""
    origin = raw.origin
    where = {
        "__connect.errors.topic": origin.topic,
        "__connect.errors.partition": str(origin.partition),
        "__connect.errors.offset": str(origin.offset),
    }
    headers = _headers(raw.value or b"", why, stage, raw.attempt)
    return _out(raw.key, raw.value, {**where, **headers, **_parts(record or {})})


def refused(body: bytes, why: Rejection, stage: str, record: Mapping[str, Any]) -> Out:
    """The same for something that has been on no topic: where its record lies on `rejected.v1` is where it comes from."""
    return _out(None, body, {**_headers(b"", why, stage, 1), **_parts(record)})


def _headers(value: bytes, why: Rejection, stage: str, attempt: int) -> dict[str, str]:
    schema_id = str(int.from_bytes(value[1:HEAD_BYTES], "big")) if len(value) >= HEAD_BYTES and value[0] == 0 else ""
    return {
        "__connect.errors.stage": stage,
        "__connect.errors.exception.class.name": why.reason.value,
        "__connect.errors.exception.message": f"{why.field or 'record'}: expected {why.expected}, got {why.got}",
        "cx.reason": why.reason.value,
        "cx.field": why.field,
        "cx.expected": why.expected,
        "cx.got": why.got,
        "cx.schema_id": schema_id,
        ATTEMPT: str(attempt),
    }


def _parts(record: Mapping[str, Any]) -> dict[str, str]:
    return {f"cx.{name}": text for name, form in PARTS.items() if form.fullmatch(text := str(record.get(name, "")))}


def _out(key: bytes | None, value: bytes | None, headers: Mapping[str, str]) -> Out:
    return Out(REJECTED, key, value, tuple((name, text.encode("utf-8", "replace")) for name, text in headers.items()))
