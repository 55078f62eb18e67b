"""Which rejected records may be sent again, and what is known of those that were."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.events import Answer, Origin, Raw, Reason, Rejection
from pipeline.partitions import partition_of
from pipeline.patch import PatchUnfit, merged, patch_of
from pipeline.redrive_judging import NOTHING, Mending
from pipeline.redrives import (
    LedgerUnreadable,
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
from pipeline.redriving import judge_of, together
from processors import cell as cells
from processors.rejects import attempt_of
from processors.rejects import rejected as reject
from schemas.registry import FileRegistry
from tests.harness.records import encoded
from tests.harness.touchpoints import NOW as TOUCHED
from tests.harness.touchpoints import Owner, held, journey_fold, records_of, resolved, touchpoint

NOW = 1_790_000_000_000
WEB = Place("cx.touchpoints.web.v1", 3, 1204)
DAYS = 5 * 86_400_000
SECRET = "sixteen bytes or more"
NO_PLACES = ["", "a-1", "a@1", "-1@2", "a-x@2", "a-1@", "a-1@²"]


def rejected(payload: bytes, stage: str = "resolve", **fields: Any) -> Rejected:
    return replace(Rejected(WEB, stage, "scale_invalid", "", "", "", 1, NOW, b"k", payload), **fields)


def judged(one: Rejected, patch: Any = None, replacement: bytes | None = None) -> Sendable | Unsendable:
    return judge_of(Settings.model_validate({"secret": SECRET})).of(one, Mending(patch, replacement), NOW)


def answered(low: int, high: int, value: int) -> bytes:
    return encoded("e", NOW, "ann", answer=Answer("q", "nps", low, high, value))


@pytest.mark.parametrize(
    "text", [*NO_PLACES, 'x" innerHTML="<img>" y-1@2', "a b-1@2", "a-1@2\n", f"a-1@{'9' * 20}", f"{'a' * 250}-1@2"]
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="is no place of a record"):
        place_of(text)


def test_records_are_read_together_up_to_so_many_and_so_many_bytes() -> None:
    places = [Place(WEB.topic, 0, n) for n in range(7)]
    sizes = dict(zip(places, [1, 1, 1, 5, 50, 1, 1], strict=True))
    assert [[p.offset for p in some] for some in together(places, sizes, 3, 10)] == [[0, 1, 2], [3], [4], [5, 6]]
    assert list(together([], {}, 3, 10)) == []
    assert list(together(places, {}, 7, 0)) == [places], "what is not in the tables has no bytes"


def test_a_place_is_read_as_it_is_written() -> None:
    assert place_of(str(WEB)) == WEB


def test_the_ledger_says_what_was_sent_and_how_often() -> None:
    second, third = Place(WEB.topic, 0, 7), Place(WEB.topic, 1, 9)
    sent = {WEB: Redriven(NOW, second, True), second: Redriven(NOW + 1, third, False)}
    entries = [Raw(Origin("t", 0, 0, 0), str(place).encode(), one.entry()) for place, one in sent.items()]
    assert ledger_of(entries) == sent
    assert [attempt(place, before_of(sent)) for place in (WEB, second, third)] == [1, 2, 3]


def test_what_somebody_has_done_to_the_ledger() -> None:
    """An entry without value is gone, as after compaction; one that says nothing is never passed over."""
    entry = Redriven(NOW, Place(WEB.topic, 0, 7), True).entry()

    def raws(*values: bytes | None, key: bytes = str(WEB).encode()) -> list[Raw]:
        return [Raw(Origin("cx.redrives.v1", 0, n, 0), key, value) for n, value in enumerate(values)]

    assert ledger_of(raws(entry, None)) == {}
    assert set(ledger_of(raws(entry, None, entry))) == {WEB}
    assert ledger_of(raws(b"odd", None)) == {}
    for odd in (b"odd", b"{}", b"[]", b"7", b'{"at": 1, "to": "nowhere", "patched": true}', b"\xff", b""):
        with pytest.raises(LedgerUnreadable, match=r"at cx\.redrives\.v1-0@1 was not written by touchstream"):
            ledger_of(raws(entry, odd))
    with pytest.raises(LedgerUnreadable):
        ledger_of(raws(entry, key=b"odd"))


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
    ("change", "after"),
    [
        ({"colour": None, "size": "m"}, {"site": "shop", "size": "m"}),
        ({"colour": None, "gone": None}, {"site": "shop"}),
        ({}, {"colour": "red", "site": "shop"}),
        (None, {}),
    ],
)
def test_a_patch_takes_an_attribute_away(change: Any, after: dict[str, str]) -> None:
    bad = encoded("e", NOW, "ann", attributes={"colour": "red", "site": "shop"}, campaign="x")
    found = sent(judged(rejected(bad), {"attributes": change, "campaign": None}))
    assert (found["attributes"], found["campaign"], found["event_id"]) == (after, None, "e")


@pytest.mark.parametrize(
    "patch",
    [
        {"event_id": None},
        {"occurred_at": "today"},
        {"answer": {"value": 1.5}},
        {"amount": {"currency": "EUR"}},
        {"duration_ms": 2**70},
        {"attributes": {"a": 1}},
        {"attributes": []},
        {"attributes": False},
        {"identifiers": [{"namespace": "email"}]},
    ],
)
def test_a_patch_with_values_that_do_not_fit_sends_nothing(patch: Any) -> None:
    found = judged(rejected(answered(0, 10, 3)), patch)
    assert isinstance(found, Unsendable)
    assert "values that its fields do not take" in found.why


ON_REJECTED = Place("cx.rejected.v1", 0, 7)
EVENT: dict[str, Any] = {
    "event_id": "i-1",
    "event_type": "page.viewed",
    "channel": "chat",
    "occurred_at": "2026-03-01T08:00:00Z",
    "identifiers": [{"namespace": "customer", "value": "ann"}],
}


def of_intake(event: Any, **fields: Any) -> Rejected:
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    return rejected(payload, "intake", **{"place": ON_REJECTED, "source": "shop", **fields})


def read(value: bytes) -> dict[str, Any]:
    record = Decoder("touchpoint", FileRegistry()).decode(value)
    assert isinstance(record, dict)
    return record


def sent(found: Sendable | Unsendable) -> dict[str, Any]:
    assert isinstance(found, Sendable), found
    return read(found.value)


def why(found: Sendable | Unsendable) -> str:
    assert isinstance(found, Unsendable)
    return found.why


def test_what_the_intake_rejected_goes_to_the_topic_of_its_channel_with_its_source() -> None:
    found = judged(of_intake(EVENT))
    assert isinstance(found, Sendable)
    assert (found.topic, found.place, found.patched) == ("cx.touchpoints.other.v1", ON_REJECTED, False)
    record = sent(found)
    assert (record["source"], record["received_at"], record["event_id"]) == ("shop", NOW, "i-1")
    same = judged(rejected(encoded("x", NOW, "ann"), place=WEB))
    assert isinstance(same, Sendable)
    assert (found.key, found.partition) == (same.key, None)


def test_it_was_received_when_it_was_rejected_and_not_when_it_is_sent_again() -> None:
    """Else its device's clock would seem to be behind by as long as it has lain there."""
    before = NOW - DAYS
    for payload in (EVENT, encoded("e", before, "ann", source="shop")):
        assert sent(judged(of_intake(payload, rejected_at=before)))["received_at"] == before
    instead = json.dumps({**EVENT, "source": "pbx"}).encode()
    one = rejected(b"\0\0\0\0\1x", reason="decode", rejected_at=before)
    assert sent(judged(one, replacement=instead))["received_at"] == before
    assert sent(judged(of_intake(EVENT, rejected_at=NOW + 5)))["received_at"] == NOW, "by another clock, never ahead"


def test_what_resolve_rejected_goes_to_topics_of_touchpoints_alone() -> None:
    """Its place is what a header says, which anybody who writes to the topic may have written."""
    for topic in ("cx.state.resolve.v1", "cx.customers.v1", "touchpoints.web.v1", "other.touchpoints.web.v1"):
        one = rejected(answered(0, 10, 9), place=Place(topic, 0, 1))
        assert "topic of touchpoints" in why(judged(one))
        assert "topic of touchpoints" in why(judged(one, replacement=json.dumps(EVENT).encode()))


@pytest.mark.parametrize(
    ("event", "patch", "reason"),
    [
        ({**EVENT, "colour": "red"}, {"colour": None}, "field_unknown at colour"),
        ({**EVENT, "site": {"a": 1}}, {"site": "shop"}, "field_malformed at site"),
        ({k: v for k, v in EVENT.items() if k != "event_type"}, {"event_type": "page.viewed"}, "field_missing"),
        ({**EVENT, "source": "other"}, {"source": None}, "source_foreign"),
        ({**EVENT, "answer": {"scael": 1}}, {"answer": None}, "field_unknown at answer.scael"),
    ],
)
def test_a_patch_mends_json_as_it_was_sent(event: Any, patch: Any, reason: str) -> None:
    assert reason in why(judged(of_intake(event)))
    mended = judged(of_intake(event), patch_of(json.dumps(patch)))
    assert sent(mended)["source"] == "shop"
    assert isinstance(mended, Sendable)
    assert mended.patched


def test_avro_that_the_intake_rejected_is_mended_too() -> None:
    bad = encoded("e", NOW, "ann", source="shop", answer=Answer("q", "nps", 1, 5, 3))
    assert "scale_invalid" in why(judged(of_intake(bad)))
    patch = patch_of('{"answer": {"scale_min": 0, "scale_max": 10}, "colour": null}')
    record = sent(judged(of_intake(bad), patch))
    assert (record["answer"]["scale_max"], record["received_at"]) == (10, NOW)
    assert "source_foreign" in why(judged(of_intake(encoded("e", NOW, "ann"))))


@pytest.mark.parametrize("payload", [b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"\0\0\0\0\1x", b"7", b""])
def test_what_no_patch_can_mend_takes_other_bytes(payload: bytes) -> None:
    one = of_intake(payload)
    assert isinstance(judged(one, {"campaign": "x"}), Unsendable)
    found = judged(one, replacement=json.dumps(EVENT).encode())
    assert sent(found)["event_id"] == "i-1"
    assert isinstance(found, Sendable)
    assert found.patched
    assert "json" in why(judged(one, replacement=b"{"))


def test_a_whole_body_is_not_split() -> None:
    for body in (b"Obj\x01rest", b"[]", b' [{"event_id": 1}'):
        assert "send it to the intake again" in why(judged(of_intake(body)))
    assert "send it to the intake again" in why(judged(of_intake(b"{"), replacement=b"[{}]"))


def test_other_bytes_for_avro_that_does_not_decode_stay_on_its_topic() -> None:
    one = rejected(b"\0\0\0\0\1x", reason="decode")
    found = judged(one, replacement=json.dumps({**EVENT, "source": "pbx"}).encode())
    assert isinstance(found, Sendable)
    assert (found.topic, read(found.value)["source"]) == (WEB.topic, "pbx")
    assert "source_missing" in why(judged(one, replacement=json.dumps(EVENT).encode()))


def test_what_is_larger_than_an_event_stays_unless_the_bound_is_raised() -> None:
    large = {**EVENT, "text": "a" * 2000}
    small = Settings.model_validate({"secret": SECRET, "intake_event_bytes": 1024})
    assert "too_large" in why(judge_of(small).of(of_intake(large), NOTHING, NOW))
    assert sent(judged(of_intake(large)))["text"] == "a" * 2000


RESOLVED = Place("cx.touchpoints.resolved.v1", 2, 40)
OWNER = Owner("p_1", "customer:1")


def test_what_journey_failed_on_goes_back_byte_for_byte_to_its_partition() -> None:
    raw = resolved(touchpoint(), 40, OWNER)
    one = rejected(raw.value or b"", "journey", place=RESOLVED, key=b"p_1")
    found = judged(one)
    assert found == Sendable(RESOLVED, RESOLVED.topic, b"p_1", raw.value or b"", False, 2)
    assert "as it is or not at all" in why(judged(one, {"campaign": "x"}))
    assert "as it is or not at all" in why(judged(one, replacement=b"{}"))
    assert "decode" in why(judged(replace(one, payload=b"\0\0\0\0\1x"))) or "schema" in why(
        judged(replace(one, payload=b"\0\0\0\0\1x"))
    )
    assert "lies on touchpoints.resolved.v1" in why(judged(replace(one, place=WEB)))


def without_cause(found: Any) -> Any:
    """Why a version was told depends on the order of things, as its number does."""
    return {topic: {key: {**r, "cause": ""} for key, r in records.items()} for topic, records in found.items()}


def test_folded_again_after_journey_failed_everything_is_as_if_it_had_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The redriven record has a new offset, behind all others of its partition."""
    real = cells.add

    def add(cell: Any, touch: Any, policy: Any) -> None:
        if touch.event_id == "e2":
            raise KeyError("a fault of ours")
        real(cell, touch, policy)

    good = [resolved(touchpoint(event_id=f"e{n}", occurred_at=TOUCHED + n * 60_000), n, OWNER) for n in range(5)]
    told = records_of(journey_fold().fold(good))
    monkeypatch.setattr(cells, "add", add)
    fold = journey_fold()
    first = fold.fold(good)
    monkeypatch.undo()
    (out,) = (out for out in first if out.topic == "rejected.v1")
    one = rejected(out.value or b"", "journey", place=RESOLVED, key=out.key or b"")
    found = judged(one)
    assert isinstance(found, Sendable)
    again = fold.fold([Raw(Origin(found.topic, 2, 99, 0), found.key, found.value)])

    before = records_of(out for out in first if out.topic != "rejected.v1")
    assert without_cause(held(before)) != without_cause(held(told))
    assert without_cause(held(before + records_of(again))) == without_cause(held(told))
    assert fold.fold([Raw(Origin(found.topic, 2, 99, 0), found.key, found.value)]) == []


def test_a_derived_record_goes_back_unless_a_newer_one_of_the_same_thing_lies_behind_it() -> None:
    fold = journey_fold()
    outs = [
        out
        for n in range(3)
        for out in fold.fold([resolved(touchpoint(event_id=f"e{n}", occurred_at=TOUCHED + n * DAYS), n, OWNER)])
    ]
    for topic in ("customers.v1", "sessions.v1"):
        mine = [out for out in outs if out.topic == topic]
        place = Place(f"cx.{topic}", 1, 5)
        found = judged(rejected(mine[0].value or b"", "sink", place=place, key=b"p_1", reason="row_refused"))
        assert isinstance(found, Sendable)
        assert (found.topic, found.partition, found.value, found.key) == (place.topic, 1, mine[0].value, b"p_1")
        assert found.overtaken is not None
        later = [Raw(Origin(place.topic, 1, 6 + n, 0), out.key, out.value) for n, out in enumerate(mine)]
        assert [found.overtaken(raw) for raw in later] == [False, *(topic == "customers.v1" for _ in later[1:])]
        assert found.overtaken(Raw(later[0].origin, b"p_1", None))
        assert not found.overtaken(Raw(later[0].origin, b"p_2", later[-1].value))


def test_what_cannot_be_sent_again_rightly_stays_and_says_why() -> None:
    touched = rejected(resolved(touchpoint(), 1, OWNER).value or b"", "sink", reason="row_refused")
    assert "count it twice" in why(judged(touched))
    assert "its own topic keeps them" in why(judged(replace(touched, payload=b"")))
    assert "its own topic keeps them" in why(judged(replace(touched, payload=b"", place=ON_REJECTED)))
    assert "as it is or not at all" in why(
        judged(rejected(b"x", "sink", place=Place("cx.sessions.v1", 0, 1)), {"campaign": "x"})
    )
    assert "no stage of touchstream" in why(judged(rejected(b"x", "billing")))
    nowhere = Place("cx.sessions.v1", -1, -1)
    assert "do not say where it lay" in why(judged(rejected(b"x", "sink", place=nowhere)))


@pytest.mark.parametrize(
    ("headers", "times"),
    [
        ([], 1),
        ([("cx.attempt", b"3")], 3),
        ([("cx.attempt", b"2"), ("other", b"9")], 2),
        ([("cx.attempt", None)], 1),
        ([("cx.attempt", b"0")], 1),
        ([("cx.attempt", b"1e9")], 1),
        ([("cx.attempt", b"9" * 30)], 1),
    ],
)
def test_how_often_a_record_was_sent_is_carried_on(headers: Any, times: int) -> None:
    assert attempt_of(headers) == times
    out = reject(Raw(Origin("t", 0, 0, 0), b"k", b"x", times), Rejection(Reason.MAGIC, "", "", ""), "resolve")
    assert dict(out.headers)["cx.attempt"] == str(times).encode()
    assert attempt_of(out.headers) == times


def test_a_patch_may_take_away_what_a_touchpoint_does_not_have_and_not_set_it() -> None:
    assert patch_of('{"colour": null}') == {"colour": None}
    with pytest.raises(PatchUnfit, match="no field colour"):
        patch_of('{"colour": "red"}')
    with pytest.raises(PatchUnfit, match=r"no field answer\.scael"):
        patch_of('{"answer": {"scael": 1}}')


def test_merging_follows_rfc_7396() -> None:
    document = {"a": 1, "b": {"c": 2, "d": [1, 2]}, "e": None}
    assert merged(document, {"a": None, "b": {"c": None, "d": [3]}, "f": {"g": None, "h": 1}}) == {
        "b": {"d": [3]},
        "e": None,
        "f": {"h": 1},
    }
    assert document == {"a": 1, "b": {"c": 2, "d": [1, 2]}, "e": None}
    assert merged("text", {"a": 1}) == {"a": 1}
    assert merged({"a": 1}, "text") == "text"
