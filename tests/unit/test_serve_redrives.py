"""Redrives over HTTP and by command where a registry does not take our schema: said in a line, and not a fault of ours."""

import asyncio
from pathlib import Path

import pytest

from pipeline.cli import rejected
from pipeline.config import Settings
from pipeline.redrive_judging import NOTHING
from pipeline.redrives import place_of
from pipeline.redriving import judge_of
from pipeline.serve.redrives import Redrives, Unready
from tests.harness.registry_server import NoRows, Registered, answering

SUBJECT = "cx.touchpoints.call.v1-value"


def test_a_registry_that_refuses_our_schema_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = {"clickhouse_address": "127.0.0.1:1", "kafka_bootstrap": "127.0.0.1:1", "secret": "s" * 16}
    with answering(Registered(refuses={SUBJECT}).answer) as url:
        chosen = Settings.model_validate({"home": tmp_path, "registry_url": url, **nowhere})
        redrives = Redrives(chosen, NoRows())
        for _ in range(2):
            with pytest.raises(Unready, match="the registry refuses"):
                asyncio.run(redrives.run([place_of("cx.touchpoints.web.v1-1@1")], NOTHING, dry_run=True))
        with pytest.raises(SystemExit) as ended, rejected._working(chosen):
            judge_of(chosen)
    assert ended.value.code == 78
    assert "the registry refuses" in capsys.readouterr().err
