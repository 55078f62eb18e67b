"""What reconcile and recompute read: the raw topics, and what the tables say of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline import endpoints
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.flow import Rules, fates
from pipeline.rawlog import RawLog, read
from pipeline.recompute import (
    SHOWN,
    Comparison,
    Key,
    Rows,
    compare,
    differing,
    expected_digests,
    expected_rows,
    stored_rows,
)
from pipeline.reconcile import Account, Evidence, Place, reconcile
from pipeline.rules import admission_of, policy_of, registry_of
from pipeline.topics import SOURCES
from sinks.clickhouse import ClickHouse
from sinks.rows import TABLES

Progress = Callable[[int], None]


def raw_log(settings: Settings, progress: Progress = lambda _: None) -> RawLog:
    """Every record of the source topics, as of now. Raises NotRunning, RawLogError."""
    return read(endpoints.kafka(settings), [settings.topic_prefix + name for name in SOURCES], progress)


def evidence(database: ClickHouse) -> Evidence:
    """The places of stored and rejected records. Raises Unavailable, Refused."""

    def places(table: str) -> frozenset[Place]:
        columns = database.columns(f"SELECT source_topic, source_partition, source_offset FROM {table} FINAL")
        return frozenset(zip(*columns, strict=True))

    return Evidence(places("touchpoints"), places("rejected"))


def accounts(settings: Settings, progress: Progress = lambda _: None) -> list[Account]:
    """Every raw record accounted for. Raises NotRunning, RawLogError, Unavailable, Refused, RegistryUnavailable."""
    log = raw_log(settings, progress)
    database = ClickHouse(settings)
    try:
        return reconcile(log.records, evidence(database), Decoder("touchpoint", registry_of(settings)))
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What the comparison found; `cut` names partitions whose oldest records are gone, so that persons cannot be compared."""

    records: int
    cut: list[str]
    comparisons: list[Comparison]


def recomputed(settings: Settings, progress: Progress = lambda _: None) -> Recomputed:
    """The batch's answer against ClickHouse's. Raises as `accounts` does."""
    log = raw_log(settings, progress)
    database = ClickHouse(settings)
    try:
        return Recomputed(len(log.records), log.cut, _compared(log, settings, database))
    finally:
        database.close()


def _compared(log: RawLog, settings: Settings, database: ClickHouse) -> list[Comparison]:
    rules = Rules(admission_of(settings, registry_of(settings)), policy_of(settings))
    expected = expected_digests(fates(log.records, rules))
    counts, wanted = dict[str, Comparison](), dict[str, set[Key]]()
    for topic, table in TABLES.items():
        counts[table.name], keys = differing(expected.pop(table.name), stored_rows(database, topic))
        wanted[table.name] = set(keys[:SHOWN])
    if any(wanted.values()):  # once more, for the fields of those that differ
        rows = expected_rows(fates(log.records, rules), wanted)
        for topic, table in TABLES.items():
            if wanted[table.name]:
                counts[table.name].examples = _examples(table.name, rows[table.name], wanted, database, topic)
    return [replace(count, table=name) for name, count in counts.items()]


def _examples(table: str, expected: Rows, wanted: dict[str, set[Key]], database: ClickHouse, topic: str) -> list[str]:
    found: Rows = {}
    for part in stored_rows(database, topic):
        found |= {key: part[key] for key in wanted[table] & part.keys()}
    return compare(table, expected, found).examples
