"""What reconcile and recompute read: the raw topics, and what the tables say of them."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import endpoints, rawlog
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.evidence import TableEvidence
from pipeline.flow import Rules, flow
from pipeline.rawlog import Ends, RawLog, read
from pipeline.recompute import Comparison, compare, expected_rows, of_the_stages, refused_keys, stored_rows
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
    decoder = Decoder("touchpoint", registry_of(settings))
    reconciliation = Reconciliation(TableEvidence(database), decoder, settings.dedupe_horizon_h)
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
