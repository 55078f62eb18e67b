"""A ClickHouse that takes nothing for a while, or little: real errors of the engine, and a line on which everything is late."""

import time
from itertools import chain
from typing import Any

import pytest

from pipeline import topics_admin
from pipeline.meter import NoMeter
from sinks import consumer
from sinks.clickhouse import ClickHouse
from sinks.consumer import Sink
from tests.harness.proxy import Line, Proxy
from tests.harness.sinks import FETCH_BYTES, LIMITS, SESSION_TIMEOUT_S, Bench, Running
from tests.harness.waiting import until

DELAY_S = 0.3


def check(bench: Bench) -> None:
    """Everything that was written is stored once, the sums of views say so too, and nothing was rejected by the sink."""
    numbers = [row[0] for row in bench.rows("SELECT toInt64(substring(event_id, 7)) FROM touchpoints")]
    assert len(numbers) == len(set(numbers)) == bench.written
    assert {n % 10 for n in numbers} == set(range(9))
    assert bench.number("SELECT sum(touchpoints) FROM arrivals") == bench.written
    assert bench.number("SELECT count() FROM rejected WHERE stage = 'sink'") == 0


class Timed(NoMeter):
    """How many seconds each insert has taken."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        self.seconds.append(seconds)


def members(bench: Bench) -> list[str]:
    """The ids of the sinks in the group; one that was taken for dead comes back under another."""
    admin = topics_admin.open_admin(bench.names().bootstrap)
    try:
        found = admin.describe_groups([bench.names().group])[bench.names().group]["members"]
        return [one["member_id"] for one in found]
    finally:
        admin.close()


def too_much(sink: Sink) -> int:
    """Bytes of a topic's records beyond two inserts' worth of them, be these the largest: no more than one fetch brings."""
    held = [list(chain.from_iterable(map(list, p.records.values()))) for p in list(sink._pending.values())]
    sizes = (sorted((len(record.value or b"") for record in records), reverse=True) for records in held)
    return max((sum(one[2 * LIMITS.records :]) for one in sizes), default=0)


class Limited(ClickHouse):
    """Its inserts go out with more settings, as a user's profile would set them, while there are any."""

    def __init__(self, bench: Bench, **limits: int) -> None:
        super().__init__(bench.settings)
        self.limits = limits

    def _guarded(self, sql: str, parameters: Any = None, **options: Any) -> Any:
        if sql.startswith("INSERT"):
            options["settings"] = {**options["settings"], **self.limits}
        return super()._guarded(sql, parameters, **options)


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"readonly": 1}, "readonly mode"), ({"max_memory_usage": 1}, "emory limit")],
    ids=["read-only", "no memory"],
)
def test_what_the_server_cannot_take_now_is_tried_until_it_can(
    bench: Bench, caplog: pytest.LogCaptureFixture, limits: dict[str, int], says: str
) -> None:
    """One line when it begins, one when it is over; little is stored and little is held meanwhile."""
    limited = Limited(bench, **limits)
    on_topics = bench.write(3000)
    assert on_topics > 8 * FETCH_BYTES
    with Running(bench.new(database=limited)) as running:
        until(lambda: running.ended() or running.sink._failures > 3, 30, "it has tried some times")
        # Where memory runs out only in a view, the rows are in the table by then: the view gets its own when they come again.
        assert bench.stored() <= bench.settings.topic_partitions * LIMITS.records
        assert bench.number("SELECT sum(touchpoints) FROM arrivals") == 0
        # Less than one insert for each of four partitions by the time it fails, and what was on its way then.
        assert sum(pending.size() for pending in running.sink._pending.values()) <= 5 * FETCH_BYTES
        limited.limits = {}
        until(lambda: running.ended() or bench.drained(), 60, "everything is inserted")
    assert running.fault is None
    said = [record.getMessage() for record in caplog.records if record.name == "touchstream.sink"]
    assert len(said) == 2
    assert "cannot take it now" in said[0]
    assert says in said[0]
    assert said[1].startswith("inserting again after ")
    check(bench)


@pytest.mark.long
def test_a_slow_server_costs_neither_memory_nor_the_place_in_the_group(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inserts take seconds, and a poll lies between any two; two session timeouts pass so; then the line is quick again."""
    monkeypatch.setattr(consumer, "ROUND_S", 0.1)
    assert bench.write(4000) > 10 * FETCH_BYTES
    host, _, port = ClickHouse(bench.settings).address.rpartition(":")
    meter, beyond = Timed(), list[int]()
    with Proxy(int(port)) as line:
        line.set(Line.DELAY, DELAY_S)
        far = bench.settings.model_copy(update={"clickhouse_address": f"{host}:{line.port}"})
        sink = bench.new(database=ClickHouse(far))
        sink.meter = meter
        with Running(sink) as running:
            until(lambda: running.ended() or meter.seconds, 60, "a first insert is done")
            first, began = members(bench), time.monotonic()

            def slow_for_long() -> bool:
                beyond.append(too_much(sink))
                return time.monotonic() - began > 2 * SESSION_TIMEOUT_S and len(meter.seconds) > 2

            until(lambda: running.ended() or slow_for_long(), 60, "two session timeouts of slow inserts")
            assert max(meter.seconds) > 4 * DELAY_S
            assert not bench.drained()
            line.set(Line.PASS)
            until(lambda: running.ended() or bench.drained(), 60, "everything is inserted")
            assert len(first) == 1
            assert members(bench) == first
    assert running.fault is None
    assert max(beyond) <= FETCH_BYTES
    check(bench)
