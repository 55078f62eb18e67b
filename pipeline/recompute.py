"""Does the stream's answer equal the batch's? `flow` over the raw topics against the tables, field by field."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.codec import Decoder
from pipeline.events import Rejection
from pipeline.flow import Result
from processors.resolve import STAGE, rejected
from sinks.clickhouse import ClickHouse
from sinks.rejects import STAGE as SINK
from sinks.rows import TABLES, Record, Row, Where, rejected_record

# Where a row came from and which version it is depends on batches, not on what happened; when it was rejected is a clock's affair.
NOT_COMPARED: Final = frozenset({"_topic", "_partition", "_offset", "version", "cause", "rejected_at"})
KEYS: Final = {
    "touchpoints": ("source_topic", "source_partition", "source_offset"),
    "sessions": ("person", "session_id"),
    "journeys": ("person", "journey_id"),
    "scores": ("person", "metric", "scale", "direction", "window"),
    "customers": ("person",),
    "rejected": ("source_topic", "source_partition", "source_offset"),
}
BINARY: Final = frozenset({"key", "payload"})
SHOWN: Final = 20
Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]


@dataclass(slots=True)
class Comparison:
    """One table: how many rows each side has, how many keys differ, and the first of them, by key and field names alone.

    `refused` are keys on which ClickHouse is not as computed because it has refused rows of theirs, as `rejected` says; they are no
    part of `missing` and `differing`.
    """

    table: str
    expected: int = 0
    found: int = 0
    missing: int = 0
    extra: int = 0
    differing: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def different(self) -> int:
        """Keys on which the two sides do not agree, and nothing says why."""
        return self.missing + self.extra + self.differing


def expected_rows(result: Result) -> dict[str, Rows]:
    """The rows of every table as the oracle has them, by key."""
    by_topic: dict[str, Iterable[Record]] = {
        "touchpoints.resolved.v1": result.touchpoints,
        "rejected.v1": _rejected(result),
        "sessions.v1": _told(result, "session"),
        "journeys.v1": _told(result, "journey"),
        "scores.v1": _told(result, "score"),
        "customers.v1": _told(result, "customer_view"),
    }
    return {TABLES[topic].name: _keyed(topic, records) for topic, records in by_topic.items()}


def _told(result: Result, kind: str) -> Iterator[Record]:
    for outputs in result.persons.values():
        yield from outputs[kind]


def _rejected(result: Result) -> Iterator[Record]:
    for raw, why in result.rejected:
        out = rejected(raw, why, STAGE)
        yield rejected_record(dict(out.headers), out.key, out.value, 0)


def _keyed(topic: str, records: Iterable[Record]) -> Rows:
    table = TABLES[topic]
    rows = (row for record in records for row in table.rows(record, Where("", 0, 0)))
    return dict(_entry(table.name, table.columns, row) for row in rows)


def _entry(table: str, columns: tuple[str, ...], row: Row) -> tuple[Key, dict[str, Any]]:
    named = {name: _plain(name, value) for name, value in zip(columns, row, strict=True) if name not in NOT_COMPARED}
    return tuple(named[name] for name in KEYS[table]), named


def _plain(name: str, value: Any) -> Any:
    if name in BINARY:
        return value.hex().upper() if isinstance(value, bytes) else value
    if isinstance(value, bool):
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def stored_rows(database: ClickHouse, topic: str) -> Rows:
    """The rows of a topic's table as ClickHouse has them, by key. Raises Unavailable, Refused."""
    table = TABLES[topic]
    types = dict(
        database.query(
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = %(table)s",
            {"table": table.name},
        )
    )
    wanted = tuple(name for name in table.columns if name not in NOT_COMPARED)
    columns = database.columns(f"SELECT {', '.join(_selected(n, types[n]) for n in wanted)} FROM {table.name} FINAL")
    return dict(_entry(table.name, wanted, row) for row in zip(*columns, strict=True))


def _selected(name: str, kind: str) -> str:
    if name in BINARY:
        return f"hex(`{name}`)"
    return f"toUnixTimestamp64Milli(`{name}`)" if "DateTime64" in kind else f"`{name}`"


def refused_keys(rejected: Rows, decoders: Mapping[str, Decoder]) -> dict[str, set[Key]]:
    """The keys, by table, of rows that the sink has rejected because ClickHouse refused them; `decoders` by kind of record.

    A touchpoint is named by its source; of everything else the rejected row holds the record itself.
    """
    keys: dict[str, set[Key]] = {table.name: set() for table in TABLES.values()}
    for place, row in rejected.items():
        if row["stage"] != SINK:
            continue
        table = next((t for topic, t in TABLES.items() if str(place[0]).endswith(topic)), None)
        if table is None or table.record is None:
            keys["touchpoints"].add(place)
            keys["rejected"].add(place)
            continue
        record = decoders[table.record].decode(bytes.fromhex(row["payload"]))
        if not isinstance(record, Rejection):
            rows = table.rows(record, Where("", 0, 0))
            keys[table.name] |= {_entry(table.name, table.columns, row)[0] for row in rows}
    return keys


def of_the_stages(rejected: Rows) -> Rows:
    """The rejected rows that the computation can know of: what the sink rejects is no part of it."""
    return {place: row for place, row in rejected.items() if row["stage"] != SINK}


def compare(table: str, expected: Rows, found: Rows, refused: AbstractSet[Key] = frozenset()) -> Comparison:
    """Both sides of one table. Examples name keys and fields, never values."""
    result = Comparison(table, len(expected), len(found))
    for key in sorted(expected.keys() | found.keys(), key=repr):
        if key in refused:
            result.refused += expected.get(key) != found.get(key)
        elif key not in found:
            result.missing += 1
            _example(result, key, "missing in ClickHouse")
        elif key not in expected:
            result.extra += 1
            _example(result, key, "only in ClickHouse")
        elif expected[key] != found[key]:
            result.differing += 1
            names = [n for n, value in expected[key].items() if found[key].get(n) != value]
            _example(result, key, "differs in " + ", ".join(names))
    return result


def _example(result: Comparison, key: Key, what: str) -> None:
    if len(result.examples) < SHOWN:
        result.examples.append(f"{'/'.join(map(str, key))}: {what}")
