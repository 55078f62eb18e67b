"""How all sources fare, as API and board tell it: in agreement with the watch."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.health.alerts import Alert, alert_id
from pipeline.health.fields import FIELDS
from pipeline.health.judge import SILENT
from pipeline.health.usual import HOUR_MS, WEEK_MS
from pipeline.intake.sources import told
from pipeline.serve import read_sources
from pipeline.serve.clickhouse import Parameters, Row
from pipeline.serve.metrics import Metrics
from pipeline.serve.present_sources import kinds
from pipeline.serve.read_sources import readings
from pipeline.serve.sources_now import SourceDesk, SourcesNow

AGENT = 1 << FIELDS.index("agent")


class Stopped:
    """Tables of a source that sent 600 an hour for five weeks and stopped two hours ago."""

    def __init__(self) -> None:
        self.end = int(time.time() * 1000) // HOUR_MS * HOUR_MS - 2 * HOUR_MS

    async def rows(self, sql: str, parameters: Parameters | None = None) -> Sequence[Row]:
        """See Source."""
        assert parameters is not None
        if sql is not read_sources.HOURS:
            return []
        hours = range(self.end - 5 * WEEK_MS, self.end, HOUR_MS)
        within = [at for at in hours if parameters["since"] <= at // 1000 < parameters["until"]]
        return [("pbx", at // 1000, 600, 60, at + HOUR_MS - 1) for at in within]


def read(home: Path, alerts: dict[str, Alert] | None = None, **more: Any) -> SourcesNow:
    desk = SourceDesk(Settings.model_validate({"home": home}), Stopped(), Metrics(), lambda: alerts, **more)
    return asyncio.run(desk.read())


@pytest.mark.parametrize(
    ("more", "state"), [({}, "silent"), ({"waiting": lambda: 0}, "silent"), ({"waiting": lambda: 7}, "fine")]
)
def test_while_records_wait_to_be_stored_nobody_is_called_silent(tmp_path: Path, more: Any, state: str) -> None:
    assert read(tmp_path, **more).verdicts["pbx"].state == state
    assert read(tmp_path, waiting=lambda: None).verdicts["pbx"].state == "fine", "nobody knows what waits"


def test_every_open_alert_about_a_source_is_shown_whoever_wrote_it(tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    silent = Alert(alert_id(SILENT, "pbx", now), 1, SILENT, "critical", "open", now, "")
    stopped, over = (told(source, now, now, stopped=is_open) for source, is_open in (("pbx", True), ("web", False)))
    other = Alert("score.fallen/2026-03-02T09Z/nps", 1, "score.fallen", "critical", "open", now, "")
    shown = read(tmp_path, {one.alert_id: one for one in (silent, stopped, over, other)}).alerts
    assert shown is not None
    assert {one.alert_id for one in shown} == {silent.alert_id, stopped.alert_id}


def test_kinds_are_of_all_that_came_and_not_only_of_the_latest() -> None:
    now_s = int(time.time())
    day = [("pbx", "call.ended", AGENT, 900, 0), ("pbx", "survey.answered", 0, 300, 300)]
    past = [("pbx", "call.ended", AGENT, 5000)]
    found = readings([("pbx", now_s, 1200, 60, now_s * 1000)], [], (past, day, [], []), 0)["pbx"]
    assert found.facts.recent == {("survey.answered", 0): 300}
    assert {kind: one.touchpoints for one in kinds(found) for kind in one.event_types} == {
        "call.ended": 5900,
        "survey.answered": 300,
    }
