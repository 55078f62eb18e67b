"""From the records of a partition to the rows of its table."""

from itertools import chain
from typing import Any

from pipeline.codec import Codec
from pipeline.events import Rejection
from schemas.registry import Registry
from sinks.rows import TABLES, Record, Table, Where, rejected_record


class RecordUnreadable(Exception):
    """A record that one of our own stages wrote cannot be read: a fault of this installation that must stop the sink."""


class Reader:
    """Knows for every topic its table and how its records are read. `prefix` is that of the topics."""

    def __init__(self, prefix: str, registry: Registry, codec: Codec) -> None:
        self._tables = {prefix + topic: table for topic, table in TABLES.items()}
        self._decoders = {t.record: codec.decoder(t.record, registry) for t in TABLES.values() if t.record}

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

    def columns(self, records: list[Any]) -> list[Any]:
        """The rows of records of one topic, by columns, lists or arrays of Arrow; empty without rows.

        Raises RecordUnreadable, RegistryUnavailable.
        """
        if not records:
            return []
        topic = records[0].topic
        table = self._tables[topic]
        if table.record is None:
            places = [Where(record.topic, record.partition, record.offset) for record in records]
            rows = [
                row for record, at in zip(records, places, strict=True) for row in table.rows(self.content(record), at)
            ]
            return [list(column) for column in zip(*rows, strict=True)]
        found = self._decoders[table.record].decode_arrays([record.value for record in records])
        for place, why in found.rejected:
            raise RecordUnreadable(f"{topic}-{records[place].partition}@{records[place].offset}: {why.reason}")
        partitions, offsets = [record.partition for record in records], [record.offset for record in records]
        columns = [*(found.by_name[name] for name in table.fields), partitions, offsets]
        if table.each:
            within = [name.startswith(f"{table.each}.") for name in table.fields]
            columns = _each(columns, [*within, False, False])
        count = len(columns[0])
        return [*columns[:-2], [topic] * count, *columns[-2:]] if count else []


def oldest_of(times: Any) -> int:
    """The least of a column of times."""
    if isinstance(times, list):
        return int(min(times))
    from pyarrow import compute

    return int(compute.min(times).as_py())


def _each(columns: list[Any], within: list[bool]) -> list[Any]:
    """A row for every item of the columns `within`; the others say the same for all of a record."""
    items = columns[within.index(True)]
    if not isinstance(items, list):
        return _each_of_arrays(columns, within, items)
    places = [place for place, one in enumerate(items) for _ in one]
    return [
        list(chain.from_iterable(column)) if inside else [column[place] for place in places]
        for column, inside in zip(columns, within, strict=True)
    ]


def _each_of_arrays(columns: list[Any], within: list[bool], items: Any) -> list[Any]:
    from pyarrow import compute

    found, places = [], compute.list_parent_indices(items)
    at = places.to_pylist()
    for column, inside in zip(columns, within, strict=True):
        if isinstance(column, list):
            found.append([column[place] for place in at])
        else:
            found.append(column.flatten() if inside else column.take(places))
    return found
