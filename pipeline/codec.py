"""Avro in the Confluent wire format: a zero byte, the schema id in four bytes, the record."""

import copy
import struct
from io import BytesIO
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from pipeline.events import Reason, Rejection
from schemas.registry import Registry, Schema, SchemaUnknown, load

Record = dict[str, Any]
_HEAD = struct.Struct(">bI")
HEAD_BYTES = _HEAD.size
# What fastavro raises on hostile bytes, found by fuzzing; anything else is a fault of ours and must stop the process.
_BAD_BYTES = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, MemoryError)


def head(schema_id: int) -> bytes:
    """The five bytes before a record of this schema."""
    return _HEAD.pack(0, schema_id)


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


class Encoder:
    """Writes one kind of record.

    Raises ValueError, TypeError, AttributeError or OverflowError for a record that does not fit: a fault of ours.
    """

    def __init__(self, record: str, registry: Registry, subject: str) -> None:
        self.schema_id = registry.schema_id(record, subject)
        self._head = head(self.schema_id)
        self._schema = fastavro.parse_schema(plain(load(record)))

    def encode(self, record: Record) -> bytes:
        """The record on the wire."""
        out = BytesIO(self._head)
        out.seek(HEAD_BYTES)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()


class Decoder:
    """Reads one kind of record in whatever registered version it was written."""

    def __init__(self, record: str, registry: Registry) -> None:
        self._registry = registry
        self._name = load(record)["name"]
        self._reader = fastavro.parse_schema(plain(load(record)))
        self._writers: dict[int, Any] = {}
        self._known = plain(load(record))

    def decode(self, value: bytes | None) -> Record | Rejection:
        """The record, or why these bytes are none. Raises RegistryUnavailable when the registry does not answer."""
        if not value:
            return Rejection(Reason.EMPTY, "", "a record", "no bytes")
        if len(value) < HEAD_BYTES or value[0] != 0:
            got = f"{len(value)} bytes that begin with {value[0]:02x}"
            return Rejection(Reason.MAGIC, "", "byte 00 and a schema id of 4 bytes", got)
        schema_id = _HEAD.unpack_from(value)[1]
        writer = self._writers.get(schema_id)
        if writer is None:
            found = self._writer(schema_id)
            if isinstance(found, Rejection):
                return found
            writer = self._writers[schema_id] = found
        return self._read(writer, value)

    def _read(self, writer: tuple[Any, Any], value: bytes) -> Record | Rejection:
        source = BytesIO(value)
        source.seek(HEAD_BYTES)
        try:
            record = fastavro.schemaless_reader(source, *writer)
        except RecursionError:
            return Rejection(Reason.DECODE, "", "a record of the schema", "nesting without end")
        except SchemaResolutionError:
            return Rejection(Reason.SCHEMA_UNSUITABLE, "", "a schema that can be read as ours", "one that cannot")
        except _BAD_BYTES as error:
            return Rejection(Reason.DECODE, "", "a record of the schema", type(error).__name__)
        left = len(value) - source.tell()
        if left:
            return Rejection(Reason.TRAILING_BYTES, "", "the record's end", f"{left} bytes more")
        return record  # type: ignore[return-value]

    def _writer(self, schema_id: int) -> tuple[Any, Any] | Rejection:
        try:
            schema = plain(self._registry.schema(schema_id))
        except SchemaUnknown:
            return Rejection(Reason.SCHEMA_UNKNOWN, "", "a registered schema id", str(schema_id))
        name = schema.get("name") if isinstance(schema, dict) else "no record"
        if name != self._name:
            return Rejection(Reason.SCHEMA_UNSUITABLE, "", str(self._name), str(name))
        if (
            schema == self._known
        ):  # schema resolution halves the speed, so it is left out where there is nothing to resolve
            return self._reader, None
        try:
            return fastavro.parse_schema(schema), self._reader
        except (SchemaParseException, ValueError, TypeError, LookupError, AttributeError) as error:
            return Rejection(Reason.SCHEMA_UNSUITABLE, "", "a schema that parses", type(error).__name__)
