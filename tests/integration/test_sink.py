"""The sink alone, on the real broker and engine, stopped at every bad moment: rows exactly once, the sums of views too."""

import time
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.structs import OffsetAndMetadata

from pipeline import topics_admin
from sinks.clickhouse import ClickHouse
from sinks.consumer import Sink
from sinks.decisions import Insert
from sinks.ranges import planned, taken_over
from sinks.rows import ROWS_VERSION
from tests.harness.sinks import LIMITS, SESSION_TIMEOUT_S, Bench, Running, run_until
from tests.harness.waiting import until


class Crash(BaseException):
    """Stands for kill -9: nothing of the sink's own handles it."""


def check(bench: Bench) -> None:
    """Everything that was written is in its table once, and the views' sums say so too."""
    assert bench.stored() == bench.written
    assert bench.number("SELECT uniqExact(event_id) FROM touchpoints") == bench.written
    assert bench.number("SELECT sum(touchpoints) FROM arrivals") == bench.written
    rejected = bench.rows("SELECT count(), uniqExact(source_offset) FROM rejected")[0]
    assert rejected == (bench.written // 9, bench.written // 9)
    for table in ("touchpoints", "sessions", "journeys", "scores", "customers", "rejected"):
        places = "_topic, _partition, _offset" + (", window" if table == "scores" else "")
        count, distinct = bench.rows(f"SELECT count(), uniqExact({places}) FROM {table}")[0]
        assert count == distinct > 0, table
    assert {metadata for _, metadata in bench.committed().values()} == {""}


def finish(bench: Bench) -> None:
    """Let a fresh sink do what is left."""
    run_until(bench.new(), lambda: settled(bench), "everything is inserted and every plan cleared")
    check(bench)


def settled(bench: Bench) -> bool:
    if bench.stored() < bench.written or bench.number("SELECT count() FROM rejected") < bench.written // 9:
        return False
    found = bench.committed()
    return bool(found) and all(metadata == "" for _, metadata in found.values())


class DiesAfterThePlan(Sink):
    def _insert_all(self) -> bool:
        if any(isinstance(one.progress.action, Insert) for one in self._pending.values()):
            raise Crash
        return False


def test_a_crash_between_plan_and_insert(bench: Bench) -> None:
    bench.write(300)
    first = run_until(bench.new(DiesAfterThePlan), lambda: False, "it dies")
    assert isinstance(first.fault, Crash)
    assert bench.stored() == 0
    committed = bench.committed()
    for topic in {tp.topic for tp in committed}:
        mine = {tp.partition: found for tp, found in committed.items() if tp.topic == topic}
        plan = taken_over(mine)
        assert plan is not None, topic
        assert ({one.partition for one in plan.ranges}, plan.rows_version) == (set(mine), ROWS_VERSION)
    assert max(len(plan.ranges) for _, metadata in committed.values() if (plan := planned(metadata))) > 1
    bench.write(500)  # more has come before the next one starts: it must not change the planned ranges
    finish(bench)


class DiesAfterTheInserts(Sink):
    def _insert_all(self) -> bool:
        if super()._insert_all():
            raise Crash
        return False


def test_a_crash_between_insert_and_commit(bench: Bench) -> None:
    bench.write(300)
    first = run_until(bench.new(DiesAfterTheInserts), lambda: False, "it dies")
    assert isinstance(first.fault, Crash)
    assert bench.stored() > 0
    assert any(metadata for _, metadata in bench.committed().values())
    bench.write(500)
    finish(bench)


class DiesInTheMidst(ClickHouse):
    """Does three inserts and reports none of the last."""

    inserts = 0

    def insert(self, *arguments: Any) -> None:
        super().insert(*arguments)
        self.inserts += 1
        if self.inserts == 3:
            raise Crash


def test_a_crash_after_some_of_the_inserts(bench: Bench) -> None:
    bench.write(300)
    for _ in range(3):
        died = run_until(bench.new(database=DiesInTheMidst(bench.settings)), lambda: False, "it dies")
        assert isinstance(died.fault, Crash)
        bench.write(100)
    finish(bench)


def test_two_sinks_come_and_go(bench: Bench) -> None:
    bench.write(300)
    with Running(bench.new()) as first:
        until(lambda: bench.stored() > 0, 60, "the first one inserts")
        with Running(bench.new()) as second:
            until(lambda: second.assignments > 0, 60, "the second one has partitions")
            bench.write(300)
            until(lambda: settled(bench), 60, "both have inserted everything")
            until(lambda: first.assignments > 1, 60, "the first one has kept some")
        bench.write(300)
        until(lambda: settled(bench), 60, "the first one goes on alone")
        assert (first.fault, second.fault) == (None, None)
    check(bench)


class Away(ClickHouse):
    """Points at a port where nothing listens, until `back` is set."""

    back: ClickHouse | None = None

    def query(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return super().query(*arguments) if self.back is None else self.back.query(*arguments)

    def insert(self, *arguments: Any) -> None:
        if self.back is None:
            super().insert(*arguments)
        else:
            self.back.insert(*arguments)


def members(bench: Bench) -> int:
    admin = topics_admin.open_admin(bench.names().bootstrap)
    try:
        return len(admin.describe_groups([bench.names().group])[bench.names().group]["members"])
    finally:
        admin.close()


def test_without_clickhouse_it_waits_and_keeps_its_partitions_and_its_memory(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = bench.settings.model_copy(update={"clickhouse_address": "127.0.0.1:9"})
    away = Away(nowhere)
    bench.write(3000)
    began = time.monotonic()
    with Running(bench.new(database=away)) as running:
        until(lambda: time.monotonic() - began > 2 * SESSION_TIMEOUT_S, 60, "two session timeouts pass")
        assert members(bench) == 1
        assert running.sink._failures > 3
        held = sum(len(pending) for pending in running.sink._pending.values())
        assert 0 < held < 3 * LIMITS.records
        away.back = ClickHouse(bench.settings)
        until(lambda: settled(bench), 60, "everything is inserted")
    assert running.fault is None
    said = [record.getMessage() for record in caplog.records if record.name == "touchstream.sink"]
    assert len(said) == 2
    assert "does not answer" in said[0]
    assert "again after" in said[1]
    check(bench)


def test_a_plan_of_which_one_offset_was_moved_by_hand_is_not_guessed_at(bench: Bench) -> None:
    bench.write(300)
    run_until(bench.new(DiesAfterThePlan), lambda: False, "it dies")
    moved = next(tp for tp, (_, metadata) in bench.committed().items() if "," in metadata)
    consumer = KafkaConsumer(bootstrap_servers=bench.names().bootstrap, group_id=bench.names().group)
    consumer.assign([moved])
    consumer.commit({moved: OffsetAndMetadata(0, "", -1)})
    consumer.close()
    refused = run_until(bench.new(), lambda: False, "it refuses")
    assert type(refused.fault).__name__ == "PlanUnreadable"
    assert "move those of all partitions" in str(refused.fault)
    assert bench.stored() == 0


def test_a_plan_of_another_version_is_not_guessed_at(bench: Bench) -> None:
    bench.write(10)

    class Newer(DiesAfterThePlan):
        def _commit(self, offsets: Any) -> None:
            super()._commit({tp: (offset, f"9{metadata}") for tp, (offset, metadata) in offsets.items()})

    run_until(bench.new(Newer), lambda: False, "it dies")
    refused = run_until(bench.new(), lambda: False, "it refuses")
    assert type(refused.fault).__name__ == "PlanUnreadable"
    assert bench.stored() == 0
