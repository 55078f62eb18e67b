"""What meters measure is what Prometheus reads, and the small server says it and nothing else."""

import socket
import urllib.error
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from pipeline import metrics
from pipeline.exposition import Exposition, Lags, SinkMeter, StageMeter
from pipeline.meter import Meter, NoMeter, Signs
from tests.harness.scraping import Samples, fetched, samples, scraped


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def read(registry: CollectorRegistry) -> Samples:
    """Every sample by its name and the value of its label."""
    return samples(generate_latest(registry).decode())


def test_a_stage_tells_what_it_did(registry: CollectorRegistry) -> None:
    signs = Signs()
    meter: Meter = StageMeter(registry, signs, verdicts=True)
    meter.batch(100, 0.25, 0.5, 0.0)
    meter.transaction(0.125, 100)
    meter.verdict("duplicate", 3)
    meter.late("web", 2)
    meter.retry("registry")
    assert signs.outage_at is not None
    meter.transaction(0.125, 10)
    assert signs.outage_at is None
    found = read(registry)
    assert found["touchstream_stage_records_total", ""] == 110
    assert found["touchstream_stage_transactions_total", ""] == 2
    assert {step: found["touchstream_stage_step_seconds_sum", step] for step in metrics.STEPS} == {
        "decode": 0.25,
        "fold": 0.5,
        "encode": 0.0,
        "transaction": 0.25,
    }
    assert found["touchstream_stage_step_seconds_count", "encode"] == 0
    assert found["touchstream_resolve_verdicts_total", "duplicate"] == 3
    assert found["touchstream_resolve_late_total", "web"] == 2
    assert found["touchstream_stage_retries_total", "registry"] == 1


def test_the_state_of_a_stage_is_that_of_its_open_partitions(registry: CollectorRegistry) -> None:
    signs = Signs()
    meter = StageMeter(registry, signs)
    meter.restoring(0, 40)
    assert signs.restoring == {0: 40}
    for partition in (0, 1):
        meter.restored(partition, 70, 0.5)
        meter.state(partition, 10 + partition, 1000)
    meter.closed(0)
    meter.closed(7)
    found = read(registry)
    assert found["touchstream_stage_open_lanes", ""] == 1
    assert (found["touchstream_stage_state_items", ""], found["touchstream_stage_state_bytes", ""]) == (11, 1000)
    assert found["touchstream_stage_restored_records_total", ""] == 140
    assert found["touchstream_stage_restore_seconds_count", ""] == 2


def test_the_sink_tells_what_it_did(registry: CollectorRegistry) -> None:
    signs = Signs()
    meter: Meter = SinkMeter(registry, signs)
    meter.inserting("touchpoints")
    assert signs.inserting
    meter.insert_failed()
    assert (signs.inserting, signs.outage_at is not None) == (False, True)
    assert read(registry)["touchstream_sink_backing_off", ""] == 1
    meter.inserting("touchpoints")
    meter.inserted("touchpoints", 500, 0.5)
    meter.queryable(1.5)
    meter.queryable(-0.2)  # clocks of two machines differ
    meter.rows_rejected("sessions", 2)
    assert (signs.inserting, signs.inserts, signs.outage_at) == (False, 1, None)
    found = read(registry)
    assert found["touchstream_sink_backing_off", ""] == 0
    assert found["touchstream_sink_insert_failures_total", "clickhouse"] == 1
    assert found["touchstream_sink_rows_total", "touchpoints"] == 500
    assert found["touchstream_sink_queryable_seconds_sum", ""] == 1.5
    assert found["touchstream_sink_rows_rejected_total", "sessions"] == 2


def test_lag_is_told_by_topic_and_forgotten_with_the_partitions(registry: CollectorRegistry) -> None:
    lags = Lags(registry)
    lags.note({("web", 0): (5, 1.5), ("web", 1): (7, 0.5), ("call", 0): (0, 0.0)})
    found = read(registry)
    assert {label: n for (name, label), n in found.items() if name == "touchstream_lag_records"} == {
        "web": 12,
        "call": 0,
    }
    assert found["touchstream_lag_seconds", "web"] == 1.5
    lags.note({("call", 0): (1, 2.0)})
    assert {label for name, label in read(registry) if name == "touchstream_lag_records"} == {"call"}
    lags.note({})
    assert not read(registry)


def test_what_measures_nothing_takes_every_call() -> None:
    meter: Meter = NoMeter()
    meter.batch(1, 0.0, 0.0, 0.0)
    meter.inserting("touchpoints")
    meter.closed(0)


@pytest.fixture
def exposition(registry: CollectorRegistry) -> Iterator[Exposition]:
    StageMeter(registry, Signs())
    found = Exposition(registry, "127.0.0.1", 0)
    yield found
    found.close()


def test_the_server_answers_two_addresses(exposition: Exposition) -> None:
    assert scraped(exposition.url)["touchstream_stage_open_lanes", ""] == 0
    assert fetched(exposition.url.replace("/metrics", "/healthz")) == '{"status": "alive"}'
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(exposition.url.replace("/metrics", "/else"))


def test_a_taken_port_does_not_keep_a_process_from_its_work(
    exposition: Exposition, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        second = Exposition(CollectorRegistry(), "127.0.0.1", port)
        try:
            assert not second.url.endswith(f":{port}/metrics")
            assert fetched(second.url) == ""
        finally:
            second.close()
    assert f"port {port} of 127.0.0.1 is not to be had" in caplog.text
