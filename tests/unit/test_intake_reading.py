"""Events in JSON: what is one, and what every other is told, without a word of what it said."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.codec import Decoder
from pipeline.events import Reason, Rejection
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents, form_of, json_events, lines
from pipeline.intake.judging import Bad, Good, Judge, outs
from pipeline.intake.mapped import Mapped
from pipeline.intake.reading import read
from pipeline.intake.shape import shape_of
from pipeline.intake.times import milliseconds
from pipeline.replay.ready import find
from schemas.registry import load
from tests.harness.touchpoints import DAY, NOW, REGISTRY, SECRET, admission, encoder, touchpoint
from tests.unit.test_validate import OF_BODIES

CANARY = "Zuckerwatte"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SHAPE = shape_of("touchpoint")
MOST = 20_000
JUDGE = Judge("web-shop", SHAPE, admission(), MOST)
GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "event_type": "page.viewed",
    "channel": "web",
    "occurred_at": NOW,
    "identifiers": [{"namespace": "customer", "value": CANARY}],
}
ANSWER = {"question": CANARY, "metric": "nps", "scale_min": 0, "scale_max": 10, "value": 9}


def said(**changes: Any) -> bytes:
    """A good event but for what `changes` says; None takes a field away."""
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not None}).encode()


WRONG: list[tuple[Reason, str, bytes]] = [
    (Reason.JSON, "", b""),
    (Reason.JSON, "", CANARY.encode()),
    (Reason.JSON, "", said()[:-1]),
    (Reason.JSON, "", said() + b"}"),
    (Reason.JSON, "", b'{"' + CANARY.encode() + b'": NaN}'),
    (Reason.JSON, "", b'{"a":' * 3_000),
    (Reason.JSON, "", said(duration_ms=1).replace(b": 1}", b": " + b"9" * 5000 + b"}")),
    (Reason.TEXT_MALFORMED, "", said().replace(CANARY.encode(), b"\xff")),
    (Reason.TEXT_MALFORMED, "", said().replace(CANARY.encode(), b"\\ud800" + CANARY.encode())),
    (Reason.KEY_TWICE, "", said()[:-1] + b', "event_id": "' + CANARY.encode() + b'"}'),
    (Reason.KEY_TWICE, "", said(answer=ANSWER).replace(b'"value": 9', b'"value": 9, "valu\\u0065": 8')),
    (Reason.FIELD_MISSING, "event_id", said(event_id=None)),
    (Reason.FIELD_MISSING, "identifiers[0].value", said(identifiers=[{"namespace": "customer"}])),
    (Reason.FIELD_MISSING, "answer.metric", said(answer={**ANSWER, "metric": None}).replace(b'"metric": null, ', b"")),
    (Reason.FIELD_UNKNOWN, "loyalty", said(loyalty=CANARY)),
    (Reason.FIELD_UNKNOWN, "", said(**{CANARY: 1})),
    (Reason.FIELD_UNKNOWN, "answer", said(answer={**ANSWER, CANARY: 1})),
    (Reason.FIELD_UNKNOWN, "received_at", said(received_at=NOW)),
    (Reason.FIELD_MALFORMED, "", json.dumps([CANARY]).encode()),
    (Reason.FIELD_MALFORMED, "channel", said(channel=CANARY)),
    (Reason.FIELD_MALFORMED, "event_id", said(event_id=7)),
    (Reason.FIELD_MALFORMED, "answer.value", said(answer={**ANSWER, "value": 9.0})),
    (Reason.FIELD_MALFORMED, "answer.value", said(answer={**ANSWER, "value": 2**31})),
    (Reason.FIELD_MALFORMED, "duration_ms", said(duration_ms=2**63)),
    (Reason.FIELD_MALFORMED, "attributes[...]", said(attributes={CANARY: 1})),
    (Reason.FIELD_MALFORMED, "occurred_at", said(occurred_at=CANARY)),
    (Reason.FIELD_MALFORMED, "occurred_at", said(occurred_at="2026-03-01T08:00:00")),
    (Reason.FIELD_MALFORMED, "promise.due_at", said(promise={"promise_id": "p", "kind": "k", "due_at": 10**40})),
    (Reason.FIELD_MALFORMED, "identifiers", said(identifiers=[{"namespace": "customer", "value": CANARY}] * 101)),
    (Reason.TOO_LARGE, "", said(text=CANARY * MOST)),
    (Reason.SOURCE_FOREIGN, "source", said(source=CANARY)),
    (Reason.EVENT_ID_MISSING, "event_id", said(event_id="")),
    (Reason.VALUE_OUT_OF_SCALE, "answer.value", said(answer={**ANSWER, "value": 11})),
]


@pytest.mark.parametrize(("reason", "field", "body"), WRONG, ids=[f"{n}-{wrong[0]}" for n, wrong in enumerate(WRONG)])
def test_what_is_no_touchpoint_is_told_why(reason: Reason, field: str, body: bytes) -> None:
    """Code and field are right, its bytes are kept, and nothing of it is repeated."""
    found = JUDGE.json(body, NOW)
    assert isinstance(found, Bad)
    assert (found.why.reason, found.why.field) == (reason, field)
    assert found.why.expected
    assert found.why.got
    assert found.body == body
    (out,) = outs("cx.", encoder("touchpoint"), [], [found])
    assert (out.topic, out.key, out.value) == ("cx.rejected.v1", None, body)
    assert CANARY.lower() not in b" ".join(text for _, text in out.headers).decode().lower()


def test_every_reason_of_bodies_is_reached() -> None:
    """None of the closed list is idle."""
    assert {reason for reason, _, _ in WRONG} >= set(OF_BODIES) - {Reason.MISFIT}


SEGMENT: list[tuple[bytes, list[str]]] = [
    (EXAMPLES.joinpath("segment.jsonl").read_bytes().splitlines()[0], []),
    (b'{"type": "page"}', [Reason.MISFIT]),
    (b"no JSON", [Reason.JSON]),
    (b'{"batch": [{"type": "page"}, {"type": "page", "messageId": "m-1", "userId": "u-1"}]}', [Reason.MISFIT] * 2),
]


@pytest.mark.parametrize(("body", "reasons"), SEGMENT, ids=range(len(SEGMENT)))
def test_bodies_of_other_systems_are_mapped(body: bytes, reasons: list[str]) -> None:
    """By the rules of their key's mapping; the source is the key's."""
    judged = list(Mapped(find("segment"), SECRET).events(body, JUDGE, NOW + 10 * 366 * DAY, 100))
    assert judged
    assert [one.why.reason for one in judged if isinstance(one, Bad)] == reasons
    good = [one for one in judged if isinstance(one, Good)]
    assert bool(good) == (not reasons)
    assert {one.record["source"] for one in good} <= {"web-shop"}
    with pytest.raises(TooManyEvents):
        list(Mapped(find("segment"), SECRET).events(body, JUDGE, NOW, 0))


def test_what_is_left_out_has_its_default_and_the_intake_stamps_the_rest() -> None:
    """The record is that of the schema, with the key's source and the time at which it came."""
    found = JUDGE.json(said(occurred_at="2023-11-14T23:13:20+01:00"), NOW + 5)
    assert isinstance(found, Good)
    expected = touchpoint(identifiers=GOOD["identifiers"], received_at=NOW + 5)
    assert found.record == expected
    (out,) = outs("cx.", encoder("touchpoint"), [found], [])
    assert out.topic == "cx.touchpoints.web.v1"
    assert Decoder("touchpoint", REGISTRY).decode(out.value) == expected
    assert out.key is not None
    assert out.key.startswith(b"customer:")
    assert CANARY.encode() not in out.key


def test_the_shape_has_the_fields_of_the_schema() -> None:
    """But for what the intake stamps."""
    names = {field["name"] for field in load("touchpoint")["fields"]}
    assert set(SHAPE.form.__struct_fields__) == names - {"received_at"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (NOW, NOW),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.123999Z", NOW + 123),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("20231114T221320Z", NOW),
        ("2023-11-14T22:13:20", None),
        ("2023-11-14", None),
        ("soon", None),
        ("9" * 1000, None),
        (2**63, None),
    ],
)
def test_times_in_words(given: int | str, expected: int | None) -> None:
    """Exact, and never without an offset."""
    assert milliseconds(given) == expected


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("text/plain;charset=UTF-8", "json"),
        ("application/x-ndjson", "lines"),
        ("application/avro", "avro"),
        ("text/html", None),
        ("application/x-www-form-urlencoded", None),
        ("", None),
    ],
)
def test_media_types(header: str, form: str | None) -> None:
    """Parameters do not matter."""
    assert form_of(header) == form


def test_a_list_is_split_without_being_read() -> None:
    """Each element with its own bytes, so a bad one costs itself alone."""
    assert json_events(b' [ {"a" : 1} ,"x", [2]] ', 9) == [b'{"a" : 1}', b'"x"', b"[2]"]
    assert json_events(b'{"a": [1]}', 9) == [b'{"a": [1]}']
    assert json_events(b"[]", 9) == []
    for broken in (b"[1", b"[1,]", b"[1] x", b"[" * 100_000, b"[NaN]"):
        with pytest.raises(BodyUnreadable):
            json_events(broken, 9)
    with pytest.raises(TooManyEvents):
        json_events(b"[1,2,3]", 2)


def test_lines_are_split_at_their_ends() -> None:
    """Blank ones are none, and a carriage return is no part of a line's JSON."""
    assert lines(b'{"a":1}\r\n\r\n \n{"b":2}', 9) == [b'{"a":1}\r', b'{"b":2}']
    assert isinstance(read(said() + b"\r", SHAPE), dict)
    with pytest.raises(TooManyEvents):
        lines(b"1\n2\n3", 2)


def test_bytes_that_were_no_utf_8_are_kept_as_they_were() -> None:
    """They are what somebody has to look at."""
    found = JUDGE.json(b"\xff\xfe", NOW)
    assert isinstance(found, Bad)
    assert isinstance(found.why, Rejection)
    assert found.body == b"\xff\xfe"
