"""The sink: from the topics into ClickHouse, exactly once in effect. The argument is in `sinks.ranges`."""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline import crash
from pipeline.codec import Decoder
from pipeline.events import Rejection
from schemas.registry import Registry
from sinks.clickhouse import ClickHouse, Unavailable
from sinks.ranges import Buffered, Limits, Range, next_range, planned
from sinks.rows import ROWS_VERSION, TABLES, Row, Table, Where, rejected_record

logger = logging.getLogger("touchstream.sink")
POLL_MS: Final = 50
METADATA_MS: Final = 30_000
BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class RecordUnreadable(Exception):
    """A record that one of our own stages wrote cannot be read: a fault of this installation that must stop the sink."""


@dataclass(frozen=True, slots=True)
class SinkNames:
    """Where the sink reads: broker, group, prefix of topics; how long it may be silent before it loses its partitions; about how
    many bytes it fetches at once; and its own name in the group, under which it takes up its partitions again."""

    bootstrap: str
    group: str
    prefix: str
    session_timeout_s: float
    fetch_bytes: int = 16 << 20
    instance: str | None = None


@dataclass(slots=True)
class Pending:
    """One partition's records that are not in ClickHouse yet, and the plan under which they may already be."""

    records: list[Any] = field(default_factory=list)
    plan: Range | None = None
    since: float = 0.0

    @property
    def lacks_records(self) -> bool:
        """Its plan reaches further than what has been fetched."""
        return self.plan is not None and (not self.records or self.records[-1].offset < self.plan.last)


@dataclass(slots=True)
class Insert:
    """One range of one partition on its way into one table."""

    tp: TopicPartition
    range: Range
    table: Table
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Change:
    """What a rebalance has taken from us or given to us."""

    revoked: frozenset[TopicPartition] = frozenset()
    assigned: frozenset[TopicPartition] = frozenset()


class Sink:
    """The loop and its state."""

    def __init__(self, names: SinkNames, database: ClickHouse, registry: Registry, limits: Limits) -> None:
        self._names = names
        self._database = database
        self._limits = limits
        self._decoders = {t.record: Decoder(t.record, registry) for t in TABLES.values() if t.record}
        self._tables = {names.prefix + topic: table for topic, table in TABLES.items()}
        self._pending: dict[TopicPartition, Pending] = {}
        self._inserts: list[Insert] = []
        self._changes: deque[Change] = deque()
        self._consumer: Any = None
        self._on_ready: Callable[[], None] = lambda: None
        self._failures = 0
        self._retry_at = 0.0

    def run(self, stopping: Callable[[], bool], on_ready: Callable[[], None] = lambda: None) -> None:
        """Until `stopping`; `on_ready` is called at every assignment of partitions.

        Raises Refused, RecordUnreadable, PlanUnreadable and KafkaError for what should end the process.
        """
        self._on_ready = on_ready
        self._consumer = self._connect()
        try:
            # kafka-python forgets to ask for the topics' metadata when another answer is on its way, and would wait for its next
            # turn to ask with no partition to read.
            self._consumer.topics()
            self._consumer.subscribe(sorted(self._tables), listener=_Listener(self._changes, self._consumer))
            while not stopping():
                self._step()
            self._flush(time.monotonic(), everything=True)
        finally:
            self._consumer.close()
            self._database.close()

    def _connect(self) -> Any:
        return KafkaConsumer(
            bootstrap_servers=self._names.bootstrap.split(","),
            group_id=self._names.group,
            group_instance_id=self._names.instance,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[RangePartitionAssignor()],
            # A poll takes all that was fetched: kafka-python never gives out what is left of a partition's records when the
            # partition is paused between two polls, and fetches nothing more of it.
            max_poll_records=sys.maxsize,
            fetch_max_bytes=self._names.fetch_bytes,
            max_partition_fetch_bytes=min(4 << 20, self._names.fetch_bytes),
            fetch_max_wait_ms=100,
            metadata_max_age_ms=METADATA_MS,
            session_timeout_ms=int(self._names.session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._names.session_timeout_s * 1000 / 3),
        )

    def _heed(self, change: Change) -> None:
        """Take in a rebalance: drop what is no longer ours, begin what is new at its committed offset with the plan there."""
        for tp in change.revoked:
            self._pending.pop(tp, None)
        self._inserts = [one for one in self._inserts if one.tp not in change.revoked]
        for tp in sorted(change.assigned & self._consumer.assignment()):  # the next change may have come already
            committed = self._consumer.committed(tp, metadata=True)
            plan = planned(committed.metadata) if committed else None
            if committed:
                self._consumer.seek(tp, committed.offset)
            else:
                self._consumer.seek_to_beginning(tp)
            self._pending[tp] = Pending(plan=plan)
        if change.assigned:
            crash.here("sink", "assigned")
        if change.revoked:
            crash.here("sink", "revoked")
        planned_before = [tp for tp in change.assigned if tp in self._pending and self._pending[tp].plan]
        if planned_before:
            logger.info("inserts of %d partitions were planned before, doing them again", len(planned_before))
        if change.assigned:
            self._on_ready()

    def _step(self) -> None:
        now = time.monotonic()
        waiting = now < self._retry_at
        self._hold_back(waiting=waiting)
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        while self._changes:
            change = self._changes.popleft()
            self._heed(change)
            polled = {tp: records for tp, records in polled.items() if tp not in change.assigned}
        for tp, records in polled.items():
            pending = self._pending.get(tp)
            if pending is None:  # taken away since it was fetched
                continue
            pending.since = pending.since if pending.records else now
            pending.records += records
        if polled:
            crash.here("sink", "fetched")
        if not waiting:
            self._flush(time.monotonic())

    def _hold_back(self, *, waiting: bool) -> None:
        """Fetch nothing while waiting; while inserts fail no more than their plans need, so that the rest stays on Kafka."""
        assigned, held = self._consumer.assignment(), set()
        if waiting:
            held = set(assigned)
        elif self._failures and sum(len(p.records) for p in self._pending.values()) >= self._limits.records:
            held = {tp for tp in assigned if tp in self._pending and not self._pending[tp].lacks_records}
        paused = self._consumer.paused()
        try:
            self._consumer.pause(*held - paused)
            self._consumer.resume(*paused - held)
        except KeyError as taken:
            logger.debug("%s was taken away meanwhile", taken)

    def _flush(self, now: float, *, everything: bool = False) -> None:
        try:
            if not self._inserts:
                self._plan(now, everything=everything)
            if self._inserts:
                self._insert()
                self._recovered()
        except (Unavailable, KafkaError) as trouble:
            # An insert whose outcome is unknown is repeated under the same token, a commit that failed with the same offsets; when
            # the group has moved on, the rebalance that follows takes everything out of our hands.
            self._back_off(now, trouble)

    def _plan(self, now: float, *, everything: bool) -> None:
        chosen: dict[TopicPartition, Range] = {}
        for tp, pending in self._pending.items():
            waited = self._limits.linger_ms if everything else int((now - pending.since) * 1000)
            if not pending.records and not pending.plan:
                continue
            buffered = Buffered([r.offset for r in pending.records], self._consumer.position(tp), waited)
            due = next_range(buffered, pending.plan, ROWS_VERSION, self._limits)
            if due:
                chosen[tp] = due
        if not chosen:
            return
        crash.here("sink", "before_plan")
        self._commit({tp: (due.first, due.metadata()) for tp, due in chosen.items()})
        crash.here("sink", "planned")
        for tp, due in chosen.items():
            self._pending[tp].plan = due
            self._inserts.append(self._insert_of(tp, due))

    def _insert_of(self, tp: TopicPartition, due: Range) -> Insert:
        table = self._tables[tp.topic]
        rows: list[Row] = []
        for record in self._pending[tp].records:
            if due.first <= record.offset <= due.last:
                rows.extend(table.rows(self._read(table, record), Where(tp.topic, tp.partition, record.offset)))
        return Insert(tp, due, table, rows)

    def _read(self, table: Table, record: Any) -> dict[str, Any]:
        if table.record is None:
            return rejected_record(dict(record.headers), record.key, record.value, record.timestamp)
        found = self._decoders[table.record].decode(record.value)
        if isinstance(found, Rejection):
            raise RecordUnreadable(f"{record.topic}-{record.partition}@{record.offset}: {found.reason}")
        return found

    def _insert(self) -> None:
        done: dict[TopicPartition, Range] = {}
        try:
            while self._inserts:
                one = self._inserts[0]
                if one.rows:
                    token = one.range.token(one.table.name, one.tp.topic, one.tp.partition)
                    self._database.insert(one.table.name, one.table.columns, one.rows, token)
                done[one.tp] = one.range
                del self._inserts[0]
        finally:
            self._done(done)

    def _done(self, done: dict[TopicPartition, Range]) -> None:
        if not done:
            return
        crash.here("sink", "inserted")
        self._commit({tp: (due.last + 1, "") for tp, due in done.items()})
        crash.here("sink", "committed")
        for tp, due in done.items():
            pending = self._pending[tp]
            pending.plan = None
            pending.records = [r for r in pending.records if r.offset > due.last]
            pending.since = time.monotonic()

    def _commit(self, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        self._consumer.commit(
            {tp: OffsetAndMetadata(offset, metadata, -1) for tp, (offset, metadata) in offsets.items()}
        )

    def _back_off(self, now: float, trouble: Exception) -> None:
        pause = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        if self._failures == 0:
            logger.warning("%s; nothing is lost, trying again", str(trouble) or repr(trouble))
        self._failures += 1
        self._retry_at = now + pause

    def _recovered(self) -> None:
        if self._failures:
            logger.warning("inserting again after %d tries", self._failures)
            self._failures = 0


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called on the client's own thread, where nothing may block: it only notes what has changed."""

    def __init__(self, changes: deque[Change], consumer: Any) -> None:
        self._changes = changes
        self._coordinator = consumer._coordinator

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._changes.append(Change(assigned=frozenset(assigned)))

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._changes.append(Change(revoked=frozenset(revoked)))
        # When the topics' metadata is the reason to join again and a poll ends before the join does, kafka-python takes the join
        # for done at the next poll and never takes in its result. With this it asks until the join has ended.
        self._coordinator.request_rejoin()

    def on_partitions_lost(self, lost: Any) -> None:
        self._changes.append(Change(revoked=frozenset(lost)))
