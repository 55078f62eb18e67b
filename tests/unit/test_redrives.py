"""Which rejected records may be sent again, and what is known of those that were."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.events import Answer, Origin, Raw
from pipeline.partitions import partition_of
from pipeline.redrive_judging import Mending
from pipeline.redrives import (
    Place,
    Redriven,
    Rejected,
    Sendable,
    Unsendable,
    attempt,
    before_of,
    ledger_of,
    place_of,
)
from pipeline.redriving import judge_of
from tests.harness.records import encoded

NOW = 1_790_000_000_000
WEB = Place("cx.touchpoints.web.v1", 3, 1204)
SECRET = "sixteen bytes or more"


def rejected(payload: bytes, stage: str = "resolve", **fields: Any) -> Rejected:
    return replace(Rejected(WEB, stage, "scale_invalid", "", "", "", 1, NOW, b"k", payload), **fields)


def judged(one: Rejected, patch: Any = None, replacement: bytes | None = None) -> Sendable | Unsendable:
    return judge_of(Settings.model_validate({"secret": SECRET})).of(one, Mending(patch, replacement), NOW)


def answered(low: int, high: int, value: int) -> bytes:
    return encoded("e", NOW, "ann", answer=Answer("q", "nps", low, high, value))


@pytest.mark.parametrize("text", ["", "a-1", "a@1", "-1@2", "a-x@2", "a-1@", "a-1@²"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="is no place of a record"):
        place_of(text)


def test_a_place_is_read_as_it_is_written() -> None:
    assert place_of(str(WEB)) == WEB


def test_the_ledger_says_what_was_sent_and_how_often() -> None:
    second, third = Place(WEB.topic, 0, 7), Place(WEB.topic, 1, 9)
    sent = {WEB: Redriven(NOW, second, True), second: Redriven(NOW + 1, third, False)}
    entries = [Raw(Origin("t", 0, 0, 0), str(place).encode(), one.entry()) for place, one in sent.items()]
    assert ledger_of(entries) == sent
    assert [attempt(place, before_of(sent)) for place in (WEB, second, third)] == [1, 2, 3]


def test_what_would_be_taken_now_goes_as_it_is_under_its_persons_key() -> None:
    good = answered(0, 10, 9)
    found = judged(rejected(good))
    assert isinstance(found, Sendable)
    assert (found.value, found.patched, found.place) == (good, False, WEB)
    other = judged(rejected(encoded("e", NOW, "bob")))
    assert isinstance(other, Sendable)
    assert found.key != other.key != b"k"
    assert 0 <= partition_of(found.key, 4) < 4


def test_what_would_be_rejected_again_stays() -> None:
    assert judged(rejected(answered(1, 5, 3))) == Unsendable(
        WEB, "scale_invalid at answer.scale_max: expected 0-10, got 1-5"
    )
    assert judged(rejected(b"\0\0\0\0\1x")) == Unsendable(
        WEB, "decode: expected a record of the schema, got bytes that are none"
    )


def test_a_patch_mends_what_can_be_read() -> None:
    found = judged(rejected(answered(1, 5, 3)), {"answer": {"scale_min": 0, "scale_max": 10}})
    assert isinstance(found, Sendable)
    assert (found.value, found.patched) == (answered(0, 10, 3), True)
    assert isinstance(judged(rejected(b"\0\0\0\0\1x"), {"campaign": "x"}), Unsendable)


@pytest.mark.parametrize(
    "patch",
    [
        {"event_id": None},
        {"occurred_at": "today"},
        {"answer": {"value": 1.5}},
        {"amount": {"currency": "EUR"}},
        {"duration_ms": 2**70},
        {"attributes": {"a": 1}},
        {"identifiers": [{"namespace": "email"}]},
    ],
)
def test_a_patch_with_values_that_do_not_fit_sends_nothing(patch: Any) -> None:
    found = judged(rejected(answered(0, 10, 3)), patch)
    assert isinstance(found, Unsendable)
    assert "values that its fields do not take" in found.why
