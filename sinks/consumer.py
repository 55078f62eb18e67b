"""The sink: from the topics into ClickHouse, exactly once in effect. The argument is in `sinks.ranges`."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline import crash
from pipeline.events import Out
from pipeline.meter import Meter, NoMeter
from sinks import deduplication
from sinks.assignment import Unit, unit_of
from sinks.clickhouse import ClickHouse, RowsRefused, Unavailable
from sinks.decisions import Breaker, Commit, Done, Due, Insert, Refused, Reject, Tolerance, begun
from sinks.pending import Pending
from sinks.ranges import Limits, Plan, taken_over
from sinks.reader import Reader, oldest_of
from sinks.rejects import RejectedTopic, TooManyRefused, rejected_of
from sinks.rows import TABLES, Table
from sinks.subscription import Change, Listener, SinkNames, connect

logger = logging.getLogger("touchstream.sink")
POLL_MS: Final = 50
BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# Between two rounds the sink polls, lest the group takes it for dead.
ROUND_S: Final = 30.0
CLOSE_MS: Final = 1000
USUAL_TOLERANCE: Final = Tolerance()


class Sink:
    """The loop and its state. What happens next with partitions is decided in `sinks.decisions`. `meter` is set before it runs."""

    def __init__(
        self,
        names: SinkNames,
        database: ClickHouse,
        reader: Reader,
        limits: Limits,
        tolerance: Tolerance = USUAL_TOLERANCE,
    ) -> None:
        self._names = names
        self.meter: Meter = NoMeter()
        self._database = database
        self._limits = limits
        self._breakers = {table.name: Breaker(tolerance) for table in TABLES.values()}
        self._reader = reader
        self._pending: dict[Unit, Pending] = {}
        self._changes: deque[Change] = deque()
        self._consumer: Any = None
        self._rejected = RejectedTopic(names.bootstrap, names.prefix)
        self._on_ready: Callable[[], None] = lambda: None
        self._checked = False
        self._failures = 0
        self._failing_since = 0.0
        self._retry_at = 0.0

    def assigned(self) -> frozenset[tuple[str, int]]:
        """The partitions that it has now, by topic and number; for any thread."""
        units = list(self._pending.items())
        return frozenset((topic, partition) for (topic, _), pending in units for partition in pending.records)

    def run(self, stopping: Callable[[], bool], on_ready: Callable[[], None] = lambda: None) -> None:
        """Until `stopping`; `on_ready` is called at every assignment of partitions.

        Raises Refused, RecordUnreadable, PlanUnreadable, TooManyRefused, DeduplicationMissing and KafkaError for what should end
        the process.
        """
        self._on_ready = on_ready
        self._consumer = connect(self._names)
        try:
            # kafka-python forgets to ask for the topics' metadata when another answer is on its way, and would wait for its next
            # turn to ask with no partition to read.
            self._consumer.topics()
            self._consumer.subscribe(self._reader.topics, listener=Listener(self._changes, self._consumer))
            while not stopping():
                self._step()
            for linger_ms in (
                0,
                None,
            ):  # plan and insert what is left, then commit what comes after it, and no plan more
                if not self._failures:
                    self._flush(linger_ms)
        finally:
            self._rejected.close()
            self._consumer.close(timeout_ms=CLOSE_MS)
            self._database.close()

    def _heed(self, change: Change) -> None:
        """Take in a rebalance: drop what is no longer ours, begin what is new at its committed offset with the plan there."""
        for tp in change.revoked:
            self._pending.pop(unit_of(*tp), None)
        begins = sorted(change.assigned & self._consumer.assignment())  # the next change may have come already
        # The public `committed` asks for one partition at a time: a round trip for each.
        found = self._consumer._coordinator.fetch_committed_offsets(begins) if begins else {}
        committed: dict[Unit, dict[int, tuple[int, str]]] = {}
        for tp in begins:
            at, unit = found.get(tp), unit_of(*tp)
            if at:
                self._consumer.seek(tp, at.offset)
                committed.setdefault(unit, {})[tp.partition] = (at.offset, at.metadata)
            else:
                self._consumer.seek_to_beginning(tp)
            self._pending.setdefault(unit, Pending({})).records[tp.partition] = []
        planned_before = [unit for unit, offsets in committed.items() if self._begin(unit, offsets)]
        if change.assigned:
            crash.here("sink", "assigned")
        if change.revoked:
            crash.here("sink", "revoked")
        if planned_before:
            logger.info("%d inserts were planned before, doing them again", len(planned_before))
        if change.assigned:
            self._on_ready()

    def _begin(self, unit: Unit, committed: dict[int, tuple[int, str]]) -> bool:
        plan = taken_over(committed)
        self._pending[unit].progress = begun(plan)
        return plan is not None

    def _step(self) -> None:
        now = time.monotonic()
        waiting = now < self._retry_at
        self._hold_back(waiting=waiting)
        polled = self._consumer.poll(timeout_ms=POLL_MS if waiting or not self._busy() else 0)
        while self._changes:
            change = self._changes.popleft()
            self._heed(change)
            polled = {tp: records for tp, records in polled.items() if tp not in change.assigned}
        for tp, records in polled.items():
            pending = self._pending.get(unit_of(*tp))
            if pending is not None and tp.partition in pending.records:  # not taken away since it was fetched
                pending.records[tp.partition] += records
        if polled:
            crash.here("sink", "fetched")
        if not waiting:
            self._flush(self._limits.linger_ms)

    def _busy(self) -> bool:
        return any(p.progress.action and not any(map(p.lacks, p.records)) for p in self._pending.values())

    def _hold_back(self, *, waiting: bool) -> None:
        """Fetch nothing while waiting, nor where two inserts' worth of records are held or the offset is not known yet; while
        inserts fail no more than their plans need, so that the rest stays on Kafka."""
        failing = bool(self._failures and self._full())
        held = {tp for tp in self._consumer.assignment() if waiting or not self._wants(tp, failing=failing)}
        paused = self._consumer.paused()
        try:
            self._consumer.pause(*held - paused)
            self._consumer.resume(*paused - held)
        except KeyError as taken:
            logger.debug("%s was taken away meanwhile", taken)

    def _wants(self, tp: TopicPartition, *, failing: bool) -> bool:
        pending = self._pending.get(unit_of(*tp))
        if pending is None or tp.partition not in pending.records:
            return False
        return pending.lacks(tp.partition) or not (failing or len(pending) >= 2 * self._limits.records)

    def _full(self) -> bool:
        pending = self._pending.values()
        return (
            sum(map(len, pending)) >= self._limits.records or sum(p.size() for p in pending) >= self._names.fetch_bytes
        )

    def _flush(self, linger_ms: int | None) -> None:
        """Plan what is due after so long, nothing at None; commit, insert, reject."""
        now = time.monotonic()
        try:
            if linger_ms is not None:
                self._plan(now, replace(self._limits, linger_ms=linger_ms))
            self._commit_all()
            if self._insert_all() or self._rejected_all():
                self._recovered()
        except (Unavailable, KafkaError) as trouble:
            # An insert whose outcome is unknown is repeated under the same token, a commit that failed with the same offsets; when
            # the group has moved on, the rebalance that follows takes everything out of our hands.
            self._back_off(now, trouble)

    def _plan(self, now: float, limits: Limits) -> None:
        for (topic, _), pending in self._pending.items():
            if pending.progress.free:
                linger_ms = limits.linger_ms * self._reader.table(topic).lingers
                due = pending.due(now, replace(limits, linger_ms=linger_ms))
                if due:
                    pending.heard(Due(due))
                    pending.planned_at = now

    def _commit_all(self) -> None:
        commits = {
            unit: p.progress.action for unit, p in self._pending.items() if isinstance(p.progress.action, Commit)
        }
        if not commits:
            return
        plans = any(one.plan for one in commits.values())
        if plans:
            crash.here("sink", "before_plan")
        self._commit({at: what for (topic, _), one in commits.items() for at, what in _offsets(topic, one).items()})
        if plans:
            crash.here("sink", "planned")
        if any(self._pending[unit].has_passed_records for unit in commits):
            crash.here("sink", "committed")
        for unit in commits:
            self._pending[unit].heard(Done())

    def _insert_all(self) -> bool:
        """Whatever is planned and complete; what remains after too long a time comes in the next round, after a poll."""
        began, did = time.monotonic(), False
        for (topic, _), pending in self._pending.items():
            doing = pending.progress.action
            if not isinstance(doing, Insert) or not self._has_passed(topic, doing.plan):
                continue
            if time.monotonic() - began > ROUND_S:
                break
            self._insert(topic, pending, doing.plan)
            did = True
        if did:
            crash.here("sink", "inserted")
        return did

    def _has_passed(self, topic: str, plan: Plan) -> bool:
        """All that a plan needs has been fetched: what lies below the position and is not there holds no record."""
        return all(self._consumer.position(TopicPartition(topic, one.partition)) > one.last for one in plan.ranges)

    def _insert(self, topic: str, pending: Pending, plan: Plan) -> None:
        table = self._reader.table(topic)
        breaker = self._breakers[table.name]
        if not self._checked:
            deduplication.check(self._database, [table.name for table in TABLES.values()])
            self._checked = True
        records = pending.within(plan)
        data = self._reader.columns(records)
        try:
            if data:
                self._store(table, data, plan.token(table.name, topic))
        except RowsRefused as refused:
            if len(records) == 1:
                breaker.note(1, refused=True)
                if breaker.open:
                    raise TooManyRefused(
                        f"{table.name}: most of the last rows were refused, at last {refused.why}"
                    ) from None
            pending.heard(Refused([(record.partition, record.offset) for record in records], refused.why))
        else:
            breaker.note(len(records), refused=False)
            pending.heard(Done())

    def _store(self, table: Table, data: list[Any], token: str) -> None:
        began, rows = time.monotonic(), len(data[0])
        oldest = None if table.arrived_at is None else oldest_of(data[table.arrived_at])
        self.meter.inserting(table.name)
        self._database.insert(table.name, table.columns, data, token)
        self.meter.inserted(table.name, rows, time.monotonic() - began)
        if oldest is not None:
            self.meter.queryable(time.time() - oldest / 1000)

    def _rejected_all(self) -> bool:
        doing = {unit: p.progress.action for unit, p in self._pending.items() if isinstance(p.progress.action, Reject)}
        if not doing:
            return False
        crash.here("sink", "rejecting")
        found = [(record, one.why) for unit, one in doing.items() for record in self._pending[unit].within(one.plan)]
        outs: list[Out] = []
        for record, why in found:
            outs.append(rejected_of(record, self._reader.content(record), self._reader.table(record.topic).name, why))
        self._rejected.write(outs)
        crash.here("sink", "rejected")
        for record, why in found:
            logger.warning("%s-%d@%d is rejected: %s", record.topic, record.partition, record.offset, why)
            self.meter.rows_rejected(self._reader.table(record.topic).name, 1)
        for unit in doing:
            self._pending[unit].heard(Done())
        return True

    def _commit(self, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        """In one request, which the group's coordinator takes as a whole or not at all: a plan is never committed in part."""
        self._consumer.commit(
            {tp: OffsetAndMetadata(offset, metadata, -1) for tp, (offset, metadata) in offsets.items()}
        )

    def _back_off(self, now: float, trouble: Exception) -> None:
        pause = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        if self._failures == 0:
            self._failing_since = now
            logger.warning("%s; nothing is lost, trying again", str(trouble) or repr(trouble))
        self.meter.insert_failed("clickhouse" if isinstance(trouble, Unavailable) else "commit")
        self._failures += 1
        self._retry_at = now + pause

    def _recovered(self) -> None:
        if self._failures:
            took = time.monotonic() - self._failing_since
            logger.warning("inserting again after %d tries in %.0f s", self._failures, took)
            self._failures = 0


def _offsets(topic: str, commit: Commit) -> dict[TopicPartition, tuple[int, str]]:
    """What to commit, the plan as metadata of the partitions that have part in it and of no other."""
    plan, members = commit.plan, {one.partition for one in commit.plan.ranges} if commit.plan else ()
    metadata = plan.metadata() if plan else ""
    return {TopicPartition(topic, p): (offset, metadata if p in members else "") for p, offset in commit.offsets}
