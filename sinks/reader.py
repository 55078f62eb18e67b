"""From the records of a partition to the rows of its table."""

from typing import Any

from pipeline.codec import Decoder
from pipeline.events import Rejection
from schemas.registry import Registry
from sinks.rows import TABLES, Record, Row, Table, Where, rejected_record


class RecordUnreadable(Exception):
    """A record that one of our own stages wrote cannot be read: a fault of this installation that must stop the sink."""


class Reader:
    """Knows for every topic its table and how its records are read. `prefix` is that of the topics."""

    def __init__(self, prefix: str, registry: Registry) -> None:
        self._tables = {prefix + topic: table for topic, table in TABLES.items()}
        self._decoders = {t.record: Decoder(t.record, registry) for t in TABLES.values() if t.record}

    @property
    def topics(self) -> list[str]:
        """Every topic that has a table."""
        return sorted(self._tables)

    def table(self, topic: str) -> Table:
        """The table of a topic."""
        return self._tables[topic]

    def content(self, record: Any) -> Record:
        """What a record of Kafka says. Raises RecordUnreadable, RegistryUnavailable."""
        table = self._tables[record.topic]
        if table.record is None:
            return rejected_record(dict(record.headers), record.key, record.value, record.timestamp)
        found = self._decoders[table.record].decode(record.value)
        if isinstance(found, Rejection):
            raise RecordUnreadable(f"{record.topic}-{record.partition}@{record.offset}: {found.reason}")
        return found

    def rows(self, records: list[Any]) -> list[Row]:
        """The rows of records of one topic. Raises RecordUnreadable, RegistryUnavailable."""
        rows: list[Row] = []
        for record in records:
            table = self._tables[record.topic]
            rows.extend(table.rows(self.content(record), Where(record.topic, record.partition, record.offset)))
        return rows
