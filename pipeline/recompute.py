"""Does the stream's answer equal the batch's? `flow` over the raw topics against the tables, field by field."""

from collections.abc import Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import msgspec

from pipeline.codec import Decoder
from pipeline.events import Rejection
from pipeline.flow import Fate, Known, Refused, Stored
from pipeline.topics import OUTPUTS, REJECTED, RESOLVED
from processors.rejects import rejected
from processors.resolve import STAGE
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
PART_ROWS: Final = 100_000
Key = tuple[Any, ...]
Named = dict[str, Any]
Rows = dict[Key, Named]
Digests = dict[Key, bytes]


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


def expected(fates: Iterable[Fate]) -> Iterator[tuple[str, Key, Named]]:
    """The rows of every table as the oracle has them: table, key, row."""
    for fate in fates:
        for topic, record in _records(fate):
            table = TABLES[topic]
            for row in table.rows(record, Where("", 0, 0)):
                yield (table.name, *_entry(table.name, table.columns, row))


def expected_rows(fates: Iterable[Fate], wanted: Mapping[str, Container[Key]] | None = None) -> dict[str, Rows]:
    """The same by table and key; with `wanted`, those keys of each table alone."""
    found: dict[str, Rows] = {table.name: {} for table in TABLES.values()}
    for table, key, named in expected(fates):
        if wanted is None or key in wanted[table]:
            found[table][key] = named
    return found


def expected_digests(fates: Iterable[Fate]) -> dict[str, Digests]:
    """A digest in place of each row: a million rows themselves would not fit into a small machine's memory."""
    found: dict[str, Digests] = {table.name: {} for table in TABLES.values()}
    for table, key, named in expected(fates):
        found[table][key] = digest(named)
    return found


def digest(named: Named) -> bytes:
    """Equal for equal rows, and else different."""
    packed = msgspec.msgpack.encode(list(named.values()), order="deterministic")
    return blake2b(packed, digest_size=16).digest()


def _records(fate: Fate) -> Iterator[tuple[str, Record]]:
    if isinstance(fate, Stored):
        yield RESOLVED, fate.record
    elif isinstance(fate, Refused):
        out = rejected(fate.raw, fate.why, STAGE, fate.record)
        yield REJECTED, rejected_record(dict(out.headers), out.key, out.value, 0)
    elif isinstance(fate, Known):
        for kind, records in fate.outputs.items():
            for record in records:
                yield OUTPUTS[kind], record


def _entry(table: str, columns: tuple[str, ...], row: Row) -> tuple[Key, Named]:
    named = {name: _plain(name, value) for name, value in zip(columns, row, strict=True) if name not in NOT_COMPARED}
    return tuple(named[name] for name in KEYS[table]), named


def _plain(name: str, value: Any) -> Any:
    if name in BINARY:
        return value.hex().upper() if isinstance(value, bytes) else value
    if isinstance(value, bool):
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def stored_rows(database: ClickHouse, topic: str) -> Iterator[Rows]:
    """The rows of a topic's table as ClickHouse has them, by key, in parts. Raises Unavailable, Refused."""
    table = TABLES[topic]
    types = dict(
        database.query(
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = %(table)s",
            {"table": table.name},
        )
    )
    wanted = tuple(name for name in table.columns if name not in NOT_COMPARED)
    select = f"SELECT {', '.join(_selected(n, types[n]) for n in wanted)} FROM {table.name} FINAL"
    parts = int(database.query(f"SELECT count() FROM {table.name}")[0][0]) // PART_ROWS + 1
    of_key = f"cityHash64({', '.join(f'{table.name}.`{name}`' for name in KEYS[table.name])}) % {parts}"
    for part in range(parts):
        columns = database.columns(f"{select} WHERE {of_key} = {part}")
        yield dict(_entry(table.name, wanted, row) for row in zip(*columns, strict=True))


def differing(
    expected: Digests, parts: Iterable[Rows], refused: AbstractSet[Key] = frozenset()
) -> tuple[Comparison, list[Key]]:
    """Counts of one table, without a name and examples, and the keys that differ for no known reason, in order."""
    result, left, keys = Comparison("", len(expected)), dict(expected), list[Key]()
    for part in parts:
        result.found += len(part)
        for key, named in part.items():
            wanted = left.pop(key, None)
            if key in refused:
                result.refused += wanted != digest(named)
            elif wanted != digest(named):
                keys.append(key)
                result.extra += wanted is None
                result.differing += wanted is not None
    missing = left.keys() - refused
    result.missing, result.refused = len(missing), result.refused + len(left) - len(missing)
    return result, sorted([*keys, *missing], key=repr)


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
    """The rejected rows that the computation can know of: what the sink or the intake rejects is no part of it."""
    return {place: row for place, row in rejected.items() if row["stage"] == STAGE}


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
