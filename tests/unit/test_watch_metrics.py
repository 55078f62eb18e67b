"""What a watch tells of itself, and what it no longer tells when another one leads."""

from prometheus_client import CollectorRegistry, generate_latest

from pipeline.health.alerts import Alert, Book
from pipeline.health.judge import SILENT
from pipeline.watch.run import WatchMetrics
from pipeline.watch.sources import Round
from tests.harness.scraping import samples


def test_who_stands_by_tells_nothing_of_sources() -> None:
    registry = CollectorRegistry()
    told = WatchMetrics(registry)
    alert = Alert(f"{SILENT}/2026-03-02T09Z/pbx", 1, SILENT, "critical", "open", 1, "")
    told.leads(True)
    told.done(Round({}, Book({alert.alert_id: alert}), [alert]), 0.1)
    found = samples(generate_latest(registry).decode())
    assert found["touchstream_watch_alerts_open", SILENT] == 1
    assert ("touchstream_watch_sources", "silent") in found
    told.leads(False)
    found = samples(generate_latest(registry).decode())
    assert found["touchstream_watch_leading", ""] == 0
    assert not [name for name, _ in found if name in ("touchstream_watch_alerts_open", "touchstream_watch_sources")]
    assert found["touchstream_watch_round_seconds_count", ""] == 1
