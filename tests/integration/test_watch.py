"""The process `watch` on real servers: a source falls silent and comes back, with deaths between and a second watch."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import rawlog, ready
from pipeline.codec import Decoder
from pipeline.config import PREFIX
from pipeline.crash import VARIABLE, WATCH_POINTS
from pipeline.health.fields import FIELDS
from pipeline.serve.clickhouse import ClickHouse
from pipeline.serve.read_sources import ENOUGH, SourceReader, SourceReading
from pipeline.topics import ALERTS
from pipeline.watch import alert_log
from pipeline.watch.alert_log import Lead
from schemas.registry import FileRegistry
from tests.harness.installation import Installation
from tests.harness.scraping import scraped
from tests.harness.waiting import until

# One touchpoint a minute for three weeks, until two hours ago; those of the last day have an agent no more.
PAST = """INSERT INTO touchpoints (event_id, event_type, channel, occurred_at, sent_at, arrived_at, source, person, cell, agent,
    _topic, _partition, _offset)
SELECT toString(number), 'call.ended', 'call', at - 5, at - 1, at, 'pbx', 'p_1', 'c:1',
    if(number > 28700, NULL, 'a-1'), 'cx.touchpoints.resolved.v1', modulo(number, 4), number
FROM (SELECT number, toDateTime64(%(now)s, 3, 'UTC') - INTERVAL 7200 + 60 * (30240 - number) SECOND AS at
    FROM numbers(30240))"""
LATELY = """INSERT INTO touchpoints (event_id, event_type, channel, occurred_at, arrived_at, source, person, cell,
    _topic, _partition, _offset)
SELECT concat('n', toString(number)), 'call.ended', 'call', at, at, 'pbx', 'p_1', 'c:1', 'cx.touchpoints.resolved.v1', 0,
    100000 + number
FROM (SELECT number, now64(3) - INTERVAL 60 * number SECOND AS at FROM numbers(60))"""
UNREADABLE = """INSERT INTO rejected (source_topic, source_partition, source_offset, rejected_at, stage, reason, _topic, _partition,
    _offset)
SELECT 'watched.touchpoints.web.v1', 1, number, now64(3), 'resolve', 'magic', 'cx.rejected.v1', 0, number FROM numbers(1000)"""
COUNTED = """SELECT filled, sum(n) FROM (SELECT filled, groupBitmapMerge(offsets) AS n FROM source_hours
    GROUP BY hour, source, event_type, filled, _topic, _partition) GROUP BY filled ORDER BY filled"""
SILENT = "source.silent"


class Place:
    """A watch's own topics and tables on the servers of a running installation."""

    def __init__(self, shared: Installation, folder: Path) -> None:
        host, port = shared.clickhouse()
        own = {
            "kafka_bootstrap": shared.bootstrap(),
            "clickhouse_address": f"{host}:{port}",
            "clickhouse_database": "watched",
            "topic_prefix": "watched.",
            "topic_partitions": "2",
            "watch_interval_s": "0.3",
            "session_timeout_s": "2",
        }
        self.installation = Installation(folder / "home", own)
        self.installation.home.mkdir()
        for command in (("topics", "apply"), ("db", "migrate")):
            done = self.installation.run(*command)
            assert done.returncode == 0, done.stderr
        self.began: list[subprocess.Popen[str]] = []

    def watch(self, instance: str = "first", crash_at: str = "") -> "subprocess.Popen[str]":
        """Start a watch; one of the same name takes up the place of one that died at once."""
        ready.forget(self.installation.settings, "watch")
        more = {VARIABLE.removeprefix(PREFIX).lower(): crash_at} if crash_at else {}
        log = self.installation.home.parent / "watch.out"
        process = self.installation.begin("run", "watch", log=log, instance=instance, **more)
        self.began.append(process)
        return process

    def series(self) -> dict[tuple[str, str], float]:
        """What the watch that was started last says of itself; nothing while it does not answer yet."""
        heard = ready.heard(self.installation.settings, "watch")
        return scraped(heard["metrics"]) if heard else {}

    def rounds(self) -> float:
        """How many rounds the watch that was started last has done."""
        return self.series().get(("touchstream_watch_round_seconds_count", ""), 0)

    def alerts(self) -> list[dict[str, Any]]:
        """Every committed version of every alert."""
        settings = self.installation.settings
        found = rawlog.read(self.installation.bootstrap(), [settings.topic_prefix + ALERTS]).records
        decoder = Decoder("alert", FileRegistry())
        return [record for raw in found if isinstance(record := decoder.decode(raw.value), dict)]

    def course(self, rule: str) -> list[tuple[int, str]]:
        """Versions and states of all alerts of a rule."""
        return [(alert["version"], alert["state"]) for alert in self.alerts() if alert["rule"] == rule]

    def reading(self, now_ms: int) -> SourceReading:
        """What is read of the source."""
        source = ClickHouse(self.installation.settings, threads=1)
        try:
            return asyncio.run(SourceReader(source).read(now_ms))["pbx"]
        finally:
            source.close()

    def end(self) -> None:
        """End what was started."""
        for process in self.began:
            if process.poll() is None:
                process.terminate()
        for process in self.began:
            process.wait(20)


@pytest.fixture
def place(shared: Installation, tmp_path: Path) -> Iterator[Place]:
    made = Place(shared, tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_a_source_falls_silent_and_comes_back(place: Place) -> None:
    now_s = int(time.time())
    for _ in range(2):
        place.installation.query(PAST, {"now": now_s})
    assert place.installation.query(COUNTED) == [
        (1, 30240 - 28701),
        (1 | 1 << FIELDS.index("agent"), 28701),
    ], "inserted again, they count once"
    reading = place.reading(now_s * 1000)
    assert reading.delays is not None
    assert (reading.delays.lateness, reading.delays.clock) == ((5000,) * 4, (1000,) * 3)
    assert reading.delays.sampled == reading.delays.clocked > 300
    assert sum(count.touchpoints for count in reading.facts.hours.values()) == 30240
    assert ENOUGH <= sum(reading.facts.recent.values()) < ENOUGH + 60, "whole hours, and as few as will do"
    assert sum(reading.day.values()) > 1200
    for point in WATCH_POINTS[2:]:
        dying = place.watch(crash_at=f"watch:{point}:1")
        assert dying.wait(30) == -9, point
    # The last of them died when everything was written and it alone did not know.
    assert place.course(SILENT) == [(1, "open")]
    for _ in range(2):
        place.installation.query(UNREADABLE)
    first = place.watch()
    until(lambda: place.rounds() >= 4, 30, "the watch has judged")
    (unreadable,) = [alert for alert in place.alerts() if alert["rule"] == "source.unreadable"]
    assert unreadable["alert_id"].endswith("/touchpoints.web.v1")
    assert unreadable["summary"].startswith("1000 records on touchpoints.web.v1 were rejected")
    assert place.series()["touchstream_watch_alerts_open", "source.unreadable"] == 1
    (alert,) = [alert for alert in place.alerts() if alert["rule"] == SILENT]
    assert alert["alert_id"].endswith("/pbx")
    assert alert["person"] is None
    assert "pbx has been silent for 12" in alert["summary"]
    series = place.series()
    assert series["touchstream_watch_alerts_open", SILENT] == 1
    assert series["touchstream_watch_leading", ""] == 1
    assert place.course("source.drifting") == [(1, "open")]

    second = place.watch(instance="second")
    until(lambda: ("touchstream_watch_leading", "") in place.series(), 20, "the second watch stands by")
    assert place.rounds() == 0
    first.terminate()
    assert first.wait(20) == 0
    until(lambda: place.rounds() >= 2, 20, "the second watch has taken over")
    place.installation.query(LATELY)
    until(lambda: len(place.course(SILENT)) == 2, 20, "the alert is resolved")
    second.terminate()
    assert second.wait(20) == 0
    assert place.course(SILENT) == [(1, "open"), (2, "resolved")]
    assert len({alert["alert_id"] for alert in place.alerts() if alert["rule"] == SILENT}) == 1
    rules = {alert["rule"] for alert in place.alerts()}
    assert rules == {SILENT, "source.drifting", "source.unreadable"}
    said = (place.installation.home.parent / "watch.out").read_text()
    assert "Traceback" not in said


COLUMNS = {"answer": "answer_metric", "amount": "amount_minor_units", "promise": "promise_id"}
VALUES = {
    **dict.fromkeys(("sent_at", "received_at"), "now64(3)"),
    **dict.fromkeys(("source_sequence", "amount", "duration_ms", "waited_ms"), "7"),
    "attributes": "map('a', 'b')",
}


def test_every_field_that_may_be_empty_has_its_bit(place: Place) -> None:
    """In the order in which the health of sources reads them."""
    columns = (
        "event_id, event_type, channel, occurred_at, arrived_at, source, person, cell, _topic, _partition, _offset"
    )
    for number, field in enumerate(FIELDS):
        column, value = COLUMNS.get(field, field), VALUES.get(field, "'x'")
        row = f"'{field}', '{field}', 'call', now64(3), now64(3), 'bits', 'p', 'c', 't', 0, {number}, {value}"
        place.installation.query(f"INSERT INTO touchpoints ({columns}, {column}) SELECT {row}")
    found = place.installation.query("SELECT event_type, filled FROM source_hours WHERE source = 'bits'")
    assert dict(found) == {field: 1 << number for number, field in enumerate(FIELDS)}


def test_who_has_led_for_long_leads_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also beyond the pause after which the group takes a member for dead that does not ask."""
    monkeypatch.setattr(alert_log, "LONGEST_PAUSE_MS", 1000)
    chosen = [place.installation.settings.model_copy(update={"instance": name}) for name in ("first", "second")]

    async def alone(*leads: Lead) -> None:
        """For three times the pause, and until one of them leads."""
        held, now = list[bool](), asyncio.get_running_loop().time
        end = now() + 3
        async with asyncio.timeout(30):
            while now() < end or True not in held:
                held = [await lead.held() for lead in leads]
                assert held.count(True) <= 1
                await asyncio.sleep(0.05)

    async def go() -> None:
        async with Lead(chosen[0]) as first:
            await alone(first)
            async with Lead(chosen[1]) as second:
                await alone(first, second)

    asyncio.run(go())
