"""The invariants themselves: they hold when nothing is wrong, and each break is found and named."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.topics import REJECTED
from tests.faults.findings import Findings
from tests.faults.invariants import check
from tests.faults.outputs import Written
from tests.faults.watch import Watch
from tests.harness.rig import Rig
from tests.harness.sending import Sending
from tests.harness.truth import Truth

EVENTS = 400
REST_S = 60.0


class Ready:
    """In place of a decoder: the record is decoded already."""

    def decode(self, value: Any) -> Any:
        return value


def taken(topic: str, *values: dict[str, Any]) -> Written:
    """What is found when a topic holds these records."""
    found = Written()
    for offset, value in enumerate(values):
        record = SimpleNamespace(partition=0, offset=offset, value=value)
        found.take(topic, record, {topic: Ready()})  # type: ignore[dict-item]
    return found


def view(person: str, version: int) -> dict[str, Any]:
    return {"person": person, "version": version}


def test_versions_that_go_back_are_found() -> None:
    assert taken("customers.v1", view("a", 1), view("b", 1), view("a", 2)).back == []
    assert taken("customers.v1", view("a", 2), view("a", 1)).back == ["customers.v1-0@1: version 1 after 2"]
    assert len(taken("customers.v1", view("a", 1), view("a", 1)).back) == 1


def test_a_place_resolved_twice_is_found() -> None:
    place = {"source_topic": "t", "source_partition": 0, "source_offset": 7}
    assert taken("touchpoints.resolved.v1", place, {**place, "source_offset": 8}).twice == []
    assert taken("touchpoints.resolved.v1", place, place).twice == [("t", 0, 7)]


def test_a_place_rejected_twice_is_found() -> None:
    headers = [
        (f"__connect.errors.{name}", value) for name, value in (("topic", b"t"), ("partition", b"0"), ("offset", b"7"))
    ]
    found = Written()
    for _ in range(2):
        found.take(REJECTED, SimpleNamespace(headers=headers, value=b"x"), {})
    assert found.twice == [("t", 0, 7)]


def test_differences_both_ways_are_named() -> None:
    findings = Findings(7)
    findings.sets("I1", "ids", {"a", "b"}, {"b", "c"})
    assert not findings.held
    assert findings.found[0].first == ("missing: a", "too many: c")
    with pytest.raises(AssertionError, match="seed 7"):
        findings.insist()


@pytest.mark.timeout(300)
def test_what_is_tampered_with_is_found(rig: Rig, seed: int) -> None:
    with Watch(rig) as watch:
        Sending(rig, seed, 0.0, EVENTS).begin().end(60)
        truth = Truth().add(seed, EVENTS, EVENTS)
        check(rig, truth, watch, seed, REST_S).insist()
        lost, changed = sorted(truth.ids)[:2]
        now = "SETTINGS mutations_sync = 2"
        rig.query(f"ALTER TABLE touchpoints DELETE WHERE event_id = %(id)s {now}", {"id": lost})
        rig.query(f"ALTER TABLE touchpoints UPDATE text = 'x' WHERE event_id = %(id)s {now}", {"id": changed})
        rig.query("INSERT INTO sessions (person, session_id) VALUES ('p_nobody', 's_none')")
        findings = check(rig, truth, watch, seed, REST_S)
    said = {finding.text: finding.first for finding in findings.found if not finding.held}
    assert any(first == (f"missing: {lost}",) for first in said.values())
    broken = [first for text, first in said.items() if text.startswith(("touchpoints:", "sessions:"))]
    assert sum("missing in ClickHouse" in line for first in broken for line in first) == 1
    assert sum("differs in text" in line for first in broken for line in first) == 1
    assert sum("p_nobody/s_none: only in ClickHouse" in line for first in broken for line in first) == 1
