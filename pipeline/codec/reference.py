"""The reference: record by record, read to the letter, resolved and written by fastavro."""

from collections.abc import Sequence
from io import BytesIO

import fastavro

from pipeline.codec.columns import Columns, by_columns, parts
from pipeline.codec.shapes import int_check
from pipeline.codec.ways import Way
from pipeline.codec.wire import Record, head, id_of, plain
from pipeline.codec.writers import Writer, Writers
from pipeline.events import Rejection
from schemas.registry import Registry, Schema, load

Value = bytes | None


class Decoder:
    """Reads one kind of record in whatever registered version it was written.

    With `fields`, names of fields of the record, the records of `decode_all` need hold no others (they may), and
    `decode_columns` gives no others. Raises KeyError for a field that the record does not have.
    """

    def __init__(self, record: str, registry: Registry, fields: Sequence[str] | None = None) -> None:
        self._writers = Writers(record, registry, fields)
        self._parts = parts(self._writers.newest, fields)

    def decode(self, value: Value) -> Record | Rejection:
        """The record, or why these bytes are none. Raises RegistryUnavailable when the registry does not answer."""
        schema_id = id_of(value)
        if isinstance(schema_id, Rejection):
            return schema_id
        writer = self._writers.of(schema_id)
        return writer if isinstance(writer, Rejection) else writer.read(value or b"")

    def way(self, value: Value) -> Way | None:
        """How records with this one's head become ours as they are, if they do. Raises RegistryUnavailable."""
        schema_id = id_of(value)
        writer = schema_id if isinstance(schema_id, Rejection) else self._writers.of(schema_id)
        return None if isinstance(writer, Rejection) else writer.way

    def writer(self, schema: Schema) -> Writer | Rejection:
        """Who writes records of a schema that no registry has to know, or why it cannot be read as ours."""
        return self._writers.made(schema)

    def decode_all(self, values: Sequence[Value]) -> list[Record | Rejection]:
        """What `decode` says of each. Raises RegistryUnavailable."""
        return [self.decode(value) for value in values]

    def decode_columns(self, values: Sequence[Value]) -> Columns:
        """The records by columns, and what is no record. Raises RegistryUnavailable."""
        found = self.decode_all(values)
        rejected = [(place, one) for place, one in enumerate(found) if isinstance(one, Rejection)]
        return Columns(by_columns([one for one in found if not isinstance(one, Rejection)], self._parts), rejected)

    def decode_arrays(self, values: Sequence[Value]) -> Columns:
        """The same, for one who takes columns as arrays of Arrow, too, where this implementation has them so."""
        return self.decode_columns(values)


class Bodies:
    """Records of a schema as Avro, without a head. Raises as Encoder does."""

    def __init__(self, schema: Schema) -> None:
        self.schema = plain(schema)
        self._parsed = fastavro.parse_schema(self.schema)
        self._ints_fit = int_check(self.schema)

    def one(self, record: Record, head: bytes = b"") -> bytes:
        """The record behind what is to stand before it."""
        if self._ints_fit:
            self._ints_fit(record)
        out = BytesIO(head)
        out.seek(len(head))
        fastavro.schemaless_writer(out, self._parsed, record)
        return out.getvalue()

    def all(self, records: Sequence[Record], head: bytes = b"") -> list[bytes]:
        """Each record, behind what is to stand before it."""
        return [self.one(record, head) for record in records]


class Encoder:
    """Writes one kind of record; `bodies` makes writers of other schemas, of the same implementation.

    Raises ValueError, TypeError, AttributeError or OverflowError for a record that does not fit: a fault of ours.
    """

    bodies: type[Bodies] = Bodies

    def __init__(self, record: str, registry: Registry, subject: str) -> None:
        self.schema_id = registry.schema_id(record, subject)
        self._head = head(self.schema_id)
        self._bodies = self.bodies(load(record))

    def encode(self, record: Record) -> bytes:
        """The record on the wire."""
        return self._bodies.one(record, self._head)

    def encode_all(self, records: Sequence[Record]) -> list[bytes]:
        """Each record on the wire."""
        return self._bodies.all(records, self._head)
