"""Avro object container files, built byte by byte, so that every part of one can be wrong."""

import copy
import json
import zlib
from typing import Any, Final

from pipeline.codec import HEAD_BYTES
from schemas.registry import load

MAGIC: Final = b"Obj\x01"
MARK: Final = b"sixteen bytes ok"


def number(value: int) -> bytes:
    """A number as Avro writes it; one beyond 64 bits is written as far as it goes."""
    rest, out = (value << 1) ^ (value >> 63), b""
    rest &= (1 << 64) - 1
    while rest >= 0x80:
        out, rest = out + bytes([rest & 0x7F | 0x80]), rest >> 7
    return out + bytes([rest])


def sized(content: bytes) -> bytes:
    """A text or bytes as Avro writes them."""
    return number(len(content)) + content


def deflated(plain: bytes) -> bytes:
    """As the codec `deflate` has it."""
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packing.compress(plain) + packing.flush()


def header(schema: Any = None, codec: bytes = b"null", **more: bytes) -> bytes:
    """The header of a file; a schema may be given as bytes."""
    text = (
        schema if isinstance(schema, bytes) else json.dumps(load("touchpoint") if schema is None else schema).encode()
    )
    pairs = {"avro.schema": text, "avro.codec": codec, **more}
    listed = b"".join(sized(name.encode()) + sized(value) for name, value in pairs.items())
    return MAGIC + number(len(pairs)) + listed + b"\0" + MARK


def block(data: bytes, count: int = 1, mark: bytes = MARK) -> bytes:
    """A block of records."""
    return number(count) + sized(data) + mark


def body_of(value: bytes) -> bytes:
    """A record without the head of the wire format."""
    return value[HEAD_BYTES:]


def with_fields(*fields: Any) -> dict[str, Any]:
    """The schema of a touchpoint with more fields at its end."""
    schema = copy.deepcopy(load("touchpoint"))
    schema["fields"] += fields
    return dict(schema)


def around_attributes(value: bytes) -> tuple[bytes, bytes]:
    """A record without attributes, before and behind their one byte; no field behind them is set."""
    names = [field["name"] for field in load("touchpoint")["fields"]]
    behind = len(names) - 1 - names.index("attributes")
    return value[: -behind - 1], value[len(value) - behind :]


def parts(value: bytes) -> tuple[bytes, bytes]:
    """The body of a record before and behind its one identifier, with the list's count and end cut out."""
    content = body_of(value)
    at = content.index(number(8) + b"customer")
    end = at + 9
    end += 1 + content[end] // 2
    return content[: at - 1], content[end + 1 :]
