"""The Confluent wire format: a zero byte, the schema id in four bytes, the record as Avro writes it."""

import copy
import struct
from typing import Any, Final

from pipeline.events import Reason, Rejection
from schemas.registry import Schema

Record = dict[str, Any]
_HEAD: Final = struct.Struct(">bI")
HEAD_BYTES: Final = _HEAD.size


def head(schema_id: int) -> bytes:
    """The five bytes before a record of this schema."""
    return _HEAD.pack(0, schema_id)


def id_of(value: bytes | None) -> int | Rejection:
    """The schema id that a value begins with, or why it begins with none."""
    if not value:
        return Rejection(Reason.EMPTY, "", "a record", "no bytes")
    if len(value) < HEAD_BYTES or value[0] != 0:
        got = f"{len(value)} bytes that begin with {value[0]:02x}"
        return Rejection(Reason.MAGIC, "", "byte 00 and a schema id of 4 bytes", got)
    schema_id: int = _HEAD.unpack_from(value)[1]
    return schema_id


def plain(schema: Schema) -> Schema:
    """The same schema without logical types: the bytes are equal, and times stay integers instead of datetimes."""
    bare = copy.deepcopy(schema)
    _strip(bare)
    return bare


def _strip(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("logicalType", None)
        for child in node.values():
            _strip(child)
    elif isinstance(node, list):
        for child in node:
            _strip(child)
