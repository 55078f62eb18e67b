"""Rows that ClickHouse or its driver does not take, on the real broker and engine: only the bad ones are rejected, also when the
process is killed at every point of it; and a sink stops when it is no matter of single rows."""

import signal
import socket
import time

import pytest

from pipeline.crash import SINK_POINTS
from sinks.decisions import Tolerance
from sinks.rejects import TooManyRefused
from tests.harness.installation import Installation
from tests.harness.sinks import FETCH_BYTES, Bench, run_until
from tests.harness.waiting import until

STORED = "SELECT toInt64(substring(event_id, 7)) FROM touchpoints"
REJECTED = "SELECT source_offset FROM rejected FINAL WHERE stage = 'sink' AND source_topic LIKE '%touchpoints.web.v1'"


def drain(bench: Bench) -> None:
    running = run_until(bench.new(), bench.drained, "everything is inserted or rejected")
    assert running.fault is None


def valid(first: int, end: int) -> set[int]:
    """Numbers of what the resolve stage has taken."""
    return {n for n in range(first, end) if n % 10 != 9}


def check(bench: Bench, good: set[int], bad: set[int]) -> None:
    """Each good one is stored once, each bad one rejected with its source, and the sum of arrivals is right."""
    stored = [row[0] for row in bench.rows(STORED)]
    assert len(stored) == len(set(stored))
    assert set(stored) == good
    assert {row[0] for row in bench.rows(REJECTED)} == bad
    assert bench.number("SELECT sum(touchpoints) FROM arrivals") == len(good)


def test_values_that_the_driver_cannot_write(bench: Bench) -> None:
    """An amount that does not fit the column any more."""
    bench.rows("ALTER TABLE touchpoints MODIFY COLUMN amount_minor_units Nullable(Int8)")
    bench.write(160)
    drain(bench)
    bad = {n for n in valid(128, 160) if n % 3 == 0}
    check(bench, valid(0, 160) - bad, bad)
    said = "SELECT DISTINCT reason, field, expected, got, length(payload) > 0 FROM rejected WHERE stage = 'sink'"
    assert bench.rows(said) == [
        ("row_refused", "", "a row that the table touchpoints takes", "cannot be written (TypeError)", 1)
    ]


def test_rows_of_every_table_that_the_server_refuses(bench: Bench) -> None:
    """Whatever is derived is rejected at its own place; a rejected record without its bytes."""
    refused = {
        "touchpoints": "event_id != 'event-7'",
        "sessions": "touchpoints != 3",
        "scores": "NOT (n = 2 AND window = '7d')",
        "customers": "touchpoints != 3",
        "rejected": "source_offset != 19 OR stage = 'sink'",
    }
    for table, holds in refused.items():
        bench.rows(f"ALTER TABLE {table} ADD CONSTRAINT odd CHECK {holds}")
    bench.write(100)
    drain(bench)
    stored = {row[0] for row in bench.rows(STORED)}
    assert stored == valid(0, 100) - {7}
    places = bench.rows("SELECT source_topic, source_partition, source_offset FROM rejected FINAL WHERE stage = 'sink'")
    prefix = bench.settings.topic_prefix
    of = {
        topic: {(p, o) for t, p, o in places if t == prefix + topic}
        for topic in {t[len(prefix) :] for t, _, _ in places}
    }
    assert {offset for _, offset in of["touchpoints.web.v1"]} == {7, 19}
    assert set(of) <= {"touchpoints.web.v1", "sessions.v1", "scores.v1", "customers.v1"}
    for topic in set(of) - {"touchpoints.web.v1"}:
        table = topic.partition(".")[0]
        held = {(p, o) for p, o in bench.rows(f"SELECT DISTINCT _partition, _offset FROM {table}")}
        assert not held & of[topic]
    got = bench.rows("SELECT DISTINCT got FROM rejected WHERE stage = 'sink'")
    assert got == [("VIOLATED_CONSTRAINT (469)",)]
    assert bench.rows("SELECT length(payload) FROM rejected WHERE stage = 'sink' AND source_offset = 19") == [(0,)]


@pytest.mark.long
@pytest.mark.timeout(240)
def test_killed_at_every_point(bench: Bench, shared: Installation) -> None:
    """One bad row in each hundred; and each time more has come before the next sink starts."""
    bench.rows("ALTER TABLE touchpoints ADD CONSTRAINT odd CHECK NOT endsWith(event_id, '13')")
    settings = bench.settings
    mine = Installation(
        shared.home, {"topic_prefix": settings.topic_prefix, "clickhouse_database": settings.clickhouse_database}
    )
    total = 0
    for point in SINK_POINTS:
        if point == "revoked":
            continue
        bench.write(100)
        total += 100
        process = mine.begin("run", "sink", crash_at=f"sink:{point}:{2 if point == 'inserting' else 1}")
        try:
            assert process.wait(60) == -signal.SIGKILL, point
        finally:
            process.kill()
    drain(bench)
    bad = set(range(13, total, 100))
    check(bench, valid(0, total) - bad, bad)


def test_it_stops_when_most_rows_are_refused(bench: Bench) -> None:
    """Before it has drained a topic into the rejected ones, though others are well; it goes on when the table is mended."""
    bench.rows("ALTER TABLE touchpoints ADD CONSTRAINT never CHECK event_id = ''")
    bench.write(200)
    tolerance = Tolerance(0.5, 8)
    stopped = run_until(bench.new(tolerance=tolerance), lambda: False, "it stops")
    assert isinstance(stopped.fault, TooManyRefused)
    assert "VIOLATED_CONSTRAINT" in str(stopped.fault)
    assert "event-" not in str(stopped.fault)
    bench.rows("ALTER TABLE touchpoints DROP CONSTRAINT never")
    drain(bench)
    rejected = {row[0] for row in bench.rows(REJECTED)}
    assert len(rejected) < 8
    check(bench, valid(0, 200) - rejected, rejected)


def test_too_many_parts_and_no_memory_pass_by(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """One line when it begins, one when it is over, and nothing is rejected for it. On a busy server it may be over twice."""
    bench.rows("SYSTEM STOP MERGES touchpoints")
    bench.write(100)
    drain(bench)
    bench.rows("ALTER TABLE touchpoints MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    on_topics = bench.write(4000)
    sink = bench.new()
    caplog.clear()

    def mended() -> bool:
        if sink._failures == 3:
            # Less than one insert for each of four partitions by the time it fails, and what was on its way then.
            assert sum(pending.size() for pending in sink._pending.values()) <= 5 * FETCH_BYTES
            assert on_topics > 10 * FETCH_BYTES
            bench.rows(
                "ALTER TABLE touchpoints MODIFY SETTING parts_to_throw_insert = 3000, parts_to_delay_insert = 1000"
            )
            bench.rows("SYSTEM START MERGES touchpoints")
            mends.append(1)
        return bool(mends) and bench.drained()

    mends: list[int] = []
    assert run_until(sink, mended, "it goes on").fault is None
    said = [record.getMessage() for record in caplog.records if record.name == "touchstream.sink"]
    assert len(said) in (2, 4)
    assert all("cannot take it now: Too many parts" in line for line in said[::2])
    assert all(line.startswith("inserting again after ") for line in said[1::2])
    check(bench, valid(0, 4100), set())


def test_it_ends_soon_when_it_is_told_to_and_clickhouse_is_silent(bench: Bench, shared: Installation) -> None:
    """A server that takes the connection and never answers."""
    bench.write(20)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {
            "topic_prefix": bench.settings.topic_prefix,
            "clickhouse_address": f"127.0.0.1:{silent.getsockname()[1]}",
            "kafka_bootstrap": shared.bootstrap(),
        }
        process = Installation(shared.home, settings).begin("run", "sink")
        silent.settimeout(60)
        asked, _ = silent.accept()
        with asked:
            until(lambda: asked.recv(1), 30, "it asks something")
            told = time.monotonic()
            process.terminate()
            assert process.wait(30) == 0
            took = time.monotonic() - told
    assert took < 8
