"""Who wrote a record: the schema under an id, and how its records become ours."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, to_parsing_canonical_form

from pipeline.codec.strict import NOT_AVRO, Read, Unsuitable, reader
from pipeline.codec.ways import Way, way
from pipeline.codec.wire import HEAD_BYTES, Record, plain
from pipeline.events import Reason, Rejection
from schemas.registry import Registry, Schema, SchemaUnknown, SchemaUnusable, load
from schemas.walk import fields as walked

MOST_NESTING: Final = 100
MOST_NODES: Final = 50_000
_NO_SCHEMA: Final = (SchemaParseException, Unsuitable, ValueError, TypeError, LookupError, AttributeError)
# What fastavro raises where it cannot read a checked record as ours; anything else is a fault of ours and must stop the process.
_UNREADABLE: Final = (SchemaResolutionError, ValueError, TypeError, LookupError, OverflowError)
DECODE: Final = Rejection(Reason.DECODE, "", "a record of the schema", "bytes that are none")


@dataclass(frozen=True, slots=True)
class Writer:
    """A schema that records were written with. `ours`: it means the same as our newest one, so nothing has to be resolved.

    `defaulted` names the fields in which a list or map stands that is a default of ours; `way` is how whole batches become ours.
    """

    strictly: Read
    parsed: Any
    resolved: Any
    ours: bool
    defaulted: tuple[str, ...] = ()
    way: Way | None = None

    def read(self, value: bytes) -> Record | Rejection:
        """The record in a value that begins with this schema's head, or why there is none."""
        try:
            record, end = self.strictly(value, HEAD_BYTES)
        except NOT_AVRO:
            return DECODE
        if end != len(value):
            left = len(value) - end
            return (
                Rejection(Reason.TRAILING_BYTES, "", "the record's end", f"{left} bytes more") if left > 0 else DECODE
            )
        return self.as_ours(record, value)

    def as_ours(self, found: Record, value: bytes) -> Record | Rejection:
        """The record that was read to the letter from the end of a value with this schema's head, as our newest schema has it."""
        if self.ours:
            return found
        source = BytesIO(value)
        source.seek(HEAD_BYTES)
        try:
            record: Record = fastavro.schemaless_reader(source, self.parsed, self.resolved)  # type: ignore[assignment]
        except _UNREADABLE:
            return Rejection(Reason.SCHEMA_UNSUITABLE, "", "a schema that can be read as ours", "one that cannot")
        for name in self.defaulted:  # fastavro gives every record the one list or map of the schema
            record[name] = copy.deepcopy(record[name])
        return record


class Writers:
    """The writers of one kind of record, by schema id; each is asked of the registry once."""

    def __init__(self, record: str, registry: Registry, fields: Sequence[str] | None) -> None:
        self._registry = registry
        self.newest = plain(load(record))
        self._parsed = fastavro.parse_schema(self.newest)
        self._strictly = reader(self._parsed, fields)
        self._canonical = to_parsing_canonical_form(self.newest)
        self._own = way(self.newest, self.newest)
        self._known: dict[int, Writer | Rejection] = {}

    def of(self, schema_id: int) -> Writer | Rejection:
        """The writer, or why there is none. Raises RegistryUnavailable."""
        found = self._known.get(schema_id)
        if found is None:
            try:
                found = self.made(self._registry.schema(schema_id))
            except SchemaUnusable as why:
                found = _unsuitable("a schema of sane size", str(why))
            except SchemaUnknown:  # may be registered later, so it is not kept
                return Rejection(Reason.SCHEMA_UNKNOWN, "", "a registered schema id", str(schema_id))
            self._known[schema_id] = found
        return found

    def made(self, schema: Schema) -> Writer | Rejection:
        """The writer of a schema, or why it is of no use."""
        if not sane(schema):
            return _unsuitable("a schema of sane size", f"more than {MOST_NESTING} levels or {MOST_NODES} parts")
        name = schema.get("name") if isinstance(schema, dict) else "no record"
        if str(name).rpartition(".")[2] != self.newest["name"]:  # some tools write the namespace into the name
            return _unsuitable(str(self.newest["name"]), "another record")
        try:
            bare = plain(schema)
            if to_parsing_canonical_form(bare) == self._canonical:
                return Writer(self._strictly, self._parsed, None, True, way=self._own)
            parsed = fastavro.parse_schema(bare)
            defaulted = _defaulted(bare, self.newest)
            return Writer(reader(parsed), parsed, self._parsed, False, defaulted, way(bare, self.newest))
        except _NO_SCHEMA as error:
            return _unsuitable("a schema that parses", type(error).__name__)


def _defaulted(writer: Schema, reader: Schema) -> tuple[str, ...]:
    written = {path for path, _ in walked(writer)}
    shared = [p for p, field in walked(reader) if p not in written and isinstance(field.get("default"), list | dict)]
    return tuple(dict.fromkeys(re.split(r"[.\[{]", path)[0] for path in shared))


def _unsuitable(expected: str, got: str) -> Rejection:
    return Rejection(Reason.SCHEMA_UNSUITABLE, "", expected, got)


def sane(schema: Any) -> bool:
    """Small enough to be walked by recursion. Counts without recursion itself."""
    level, seen = [schema], 0
    for _ in range(MOST_NESTING):
        seen += len(level)
        if not level or seen > MOST_NODES:
            break
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
    return not level and seen <= MOST_NODES
