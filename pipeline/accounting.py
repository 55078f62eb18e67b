"""What reconcile and recompute read: the raw topics, and what the tables say of them."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import endpoints
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.flow import Rules, flow
from pipeline.rawlog import RawLog, read
from pipeline.recompute import Comparison, compare, expected_rows, of_the_stages, refused_keys, stored_rows
from pipeline.reconcile import Account, Evidence, Place, reconcile
from pipeline.rules import admission_of, policy_of, registry_of
from pipeline.topics import REJECTED, SOURCES
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
    result = flow(log.records, Rules(admission_of(settings, registry_of(settings)), policy_of(settings)))
    expected = expected_rows(result)
    database = ClickHouse(settings)
    try:
        rejected = stored_rows(database, REJECTED)
        kinds = {table.record for table in TABLES.values() if table.record}
        refused = refused_keys(rejected, {kind: Decoder(kind, registry_of(settings)) for kind in kinds})
        found = {TABLES[REJECTED].name: of_the_stages(rejected)}
        compared = [
            compare(name, expected[name], found.get(name) or stored_rows(database, topic), refused[name])
            for topic, name in ((topic, table.name) for topic, table in TABLES.items())
        ]
    finally:
        database.close()
    return Recomputed(len(log.records), log.cut, compared)
