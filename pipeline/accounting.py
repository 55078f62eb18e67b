"""What reconcile and recompute read: the raw topics, and what the tables say of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline import endpoints, rawlog
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.evidence import TableEvidence
from pipeline.flow import Rules, fates
from pipeline.rawlog import Ends, RawLog, read
from pipeline.recompute import (
    SHOWN,
    Comparison,
    Key,
    Rows,
    compare,
    differing,
    expected_digests,
    expected_rows,
    of_the_stages,
    refused_keys,
    stored_rows,
)
from pipeline.reconcile import Account, Reconciliation
from pipeline.rules import admission_of, policy_of, registry_of
from pipeline.topics import REJECTED, SOURCES
from sinks.clickhouse import ClickHouse
from sinks.rows import TABLES

Progress = Callable[[int], None]


def raw_log(settings: Settings, progress: Progress = lambda _: None) -> RawLog:
    """Every record of the source topics, as of now. Raises NotRunning, RawLogError."""
    return read(endpoints.kafka(settings), [settings.topic_prefix + name for name in SOURCES], progress)


def ends(settings: Settings) -> Ends:
    """Where the source topics end now. Raises NotRunning, RawLogError."""
    return rawlog.ends(endpoints.kafka(settings), [settings.topic_prefix + name for name in SOURCES])


def accounts(settings: Settings, progress: Progress = lambda _: None, upto: Ends | None = None) -> list[Account]:
    """Every raw record before `upto` accounted for; by default every one that there is now.

    While touchpoints come in, `upto` has to be taken before waiting for the stages to be done. Raises NotRunning, RawLogError,
    Unavailable, Refused, RegistryUnavailable.
    """
    bound = ends(settings) if upto is None else upto
    database = ClickHouse(settings)
    reconciliation = Reconciliation(TableEvidence(database), admission_of(settings, registry_of(settings)))
    try:
        rawlog.each(endpoints.kafka(settings), bound, reconciliation.take, progress)
    finally:
        database.close()
    return reconciliation.accounts()


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
    rejected: Rows = {key: row for part in stored_rows(database, REJECTED) for key, row in part.items()}
    kinds = {table.record for table in TABLES.values() if table.record}
    refused = refused_keys(rejected, {kind: Decoder(kind, registry_of(settings)) for kind in kinds})
    counts, wanted = dict[str, Comparison](), dict[str, set[Key]]()
    for topic, table in TABLES.items():
        found = [of_the_stages(rejected)] if topic == REJECTED else stored_rows(database, topic)
        counts[table.name], keys = differing(expected.pop(table.name), found, refused[table.name])
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
