"""The reference: record by record, read to the letter, resolved and written by fastavro."""

from collections.abc import Sequence
from io import BytesIO

import fastavro

from pipeline.codec.columns import Columns, by_columns, parts
from pipeline.codec.wire import HEAD_BYTES, Record, head, id_of, plain
from pipeline.codec.writers import Writers
from pipeline.events import Rejection
from schemas.registry import Registry, load

Value = bytes | None


class Decoder:
    """Reads one kind of record in whatever registered version it was written.

    With `fields`, names of fields of the record, the records of `decode_all` need hold no others (they may), and `decode_columns` gives
    no others. Raises KeyError for a field that the record does not have.
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

    def decode_all(self, values: Sequence[Value]) -> list[Record | Rejection]:
        """What `decode` says of each. Raises RegistryUnavailable."""
        return [self.decode(value) for value in values]

    def decode_columns(self, values: Sequence[Value]) -> Columns:
        """The records by columns, and what is no record. Raises RegistryUnavailable."""
        found = self.decode_all(values)
        rejected = [(place, one) for place, one in enumerate(found) if isinstance(one, Rejection)]
        return Columns(by_columns([one for one in found if not isinstance(one, Rejection)], self._parts), rejected)


class Encoder:
    """Writes one kind of record.

    Raises ValueError, TypeError, AttributeError or OverflowError for a record that does not fit: a fault of ours.
    """

    def __init__(self, record: str, registry: Registry, subject: str) -> None:
        self.schema_id = registry.schema_id(record, subject)
        self._head = head(self.schema_id)
        self._newest = plain(load(record))
        self._schema = fastavro.parse_schema(self._newest)

    def encode(self, record: Record) -> bytes:
        """The record on the wire."""
        out = BytesIO(self._head)
        out.seek(HEAD_BYTES)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()

    def encode_all(self, records: Sequence[Record]) -> list[bytes]:
        """Each record on the wire."""
        return [self.encode(record) for record in records]
