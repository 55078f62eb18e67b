"""The ready mappings with their examples: what goes in, and what is documented to come out."""

import json
from pathlib import Path
from typing import Any, Final

from pipeline.cli.intake_text import said
from pipeline.events import Rejection
from pipeline.intake.bodies import BodyUnreadable
from pipeline.intake.mapped_bodies import pieces
from pipeline.intake.mapped_rows import Bounds
from pipeline.replay import ready
from pipeline.replay.plan import Mapping
from pipeline.replay.row import BadRow, Row
from pipeline.replay.rows import read_rows
from pipeline.replay.trial import tried
from tests.harness.touchpoints import LIMITS

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
SECRET: Final = b"0123456789abcdef"
ARRIVED_AT: Final = 1_772_582_400_000
"""Milliseconds since epoch: a day after the examples, 2026-03-04 00:00 UTC."""

EXCHANGE: Final = """
name = "calls"
event_id = { from = "columns", columns = ["id"] }
[file]
format = "json"
[[touchpoint]]
event_type = "call.queued"
channel = "call"
source = "exchange"
occurred_at = { column = "begin", parse = "epoch_ms" }
identifiers = [{ namespace = "phone", column = "caller" }]
[[touchpoint]]
event_type = "call.ended"
channel = "call"
source = "exchange"
occurred_at = { column = "end", parse = "epoch_ms" }
identifiers = [{ namespace = "phone", column = "caller" }]
site = { column = "site" }
"""
"""A telephone exchange whose calls name their caller `from`, by a mapping that takes it for `caller`."""

BOUNDS: Final = Bounds(10_000, 512 << 10)


def rows_of(mapping: Mapping, body: bytes) -> list[Row | BadRow]:
    """The rows of a body, as the intake reads it."""
    found: list[Row | BadRow] = []
    try:
        for piece in pieces(mapping, body, BOUNDS):
            row = piece.row
            found.append(BadRow(1, len(found) + 1, row.got, "") if isinstance(row, Rejection) else row)
    except BodyUnreadable as error:
        found.append(BadRow(1, len(found) + 1, error.why.got, ""))
    return found


def example(name: str) -> Path:
    """What the other system sends."""
    (found,) = (EXAMPLES / f"{name}.{ending}" for ending in ("csv", "json", "jsonl") if _is_there(name, ending))
    return found


def expected(name: str) -> list[dict[str, Any]]:
    """What is documented to come out: one entry for each row, as `touchstream intake try --json` prints it."""
    text = (EXAMPLES / f"{name}.expected.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def found(name: str, mapping: Mapping | None = None) -> list[dict[str, Any]]:
    """What comes out of the example."""
    plan = mapping or ready.ready(name)
    rows = read_rows(example(name), plan.layout, plan.columns)
    return [said(one) for one in tried(rows, plan, SECRET, ARRIVED_AT, LIMITS)]


def _is_there(name: str, ending: str) -> bool:
    return (EXAMPLES / f"{name}.{ending}").exists()
