"""Every reason for a rejection: reachable, told in full, and without a word of what the record said."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.codec import HEAD_BYTES, head
from pipeline.events import Reason, Rejection
from processors.dedupe import Seen
from processors.rejects import rejected
from processors.resolve import STAGE, Admitted, Verdict, admit
from tests.harness.touchpoints import DAY, LIMITS, NOW, Record, admission, answer, raw, touchpoint, wire

CANARY = "Zuckerwatte"
# What bodies of HTTP requests alone can be; tests of the intake reach them.
OF_BODIES = (
    Reason.JSON,
    Reason.TEXT_MALFORMED,
    Reason.KEY_TWICE,
    Reason.FIELD_MISSING,
    Reason.FIELD_UNKNOWN,
    Reason.FIELD_MALFORMED,
    Reason.TOO_LARGE,
    Reason.MISFIT,
    Reason.SOURCE_FOREIGN,
)
EVERYTHING_SAID: Record = {
    "event_id": CANARY,
    "source": CANARY,
    "identifiers": [{"namespace": "customer", "value": CANARY}],
    "text": CANARY,
    "account": CANARY,
    "agent": CANARY,
    "attributes": {CANARY: CANARY},
    "source_session": CANARY,
    "answer": answer(question=CANARY, aspect=CANARY),
}


def said(**changes: Any) -> bytes:
    """A valid touchpoint that says the canary wherever it can, but for what `changes` says."""
    return wire(touchpoint(**{**EVERYTHING_SAID, **changes}))


def identified(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Identifiers in place of the valid one."""
    return {"identifiers": [{"namespace": name, "value": value} for name, value in pairs]}


WRONG: list[tuple[Reason, str, bytes | None]] = [
    (Reason.EMPTY, "", None),
    (Reason.EMPTY, "", b""),
    (Reason.MAGIC, "", CANARY.encode()),
    (Reason.MAGIC, "", b"\0\0\0"),
    (Reason.SCHEMA_UNKNOWN, "", head(99) + CANARY.encode()),
    (Reason.SCHEMA_UNSUITABLE, "", head(3) + CANARY.encode()),
    (Reason.DECODE, "", said()[:40]),
    (Reason.DECODE, "", head(1) + CANARY.encode()),
    (Reason.TRAILING_BYTES, "", said() + CANARY.encode()),
    (Reason.EVENT_ID_MISSING, "event_id", said(event_id="")),
    (Reason.EVENT_TYPE_MALFORMED, "event_type", said(event_type=CANARY)),
    (Reason.EVENT_TYPE_MALFORMED, "event_type", said(event_type="page.viewed\n")),
    (Reason.SOURCE_MISSING, "source", said(source="")),
    (Reason.IDENTIFIER_MISSING, "identifiers", said(identifiers=[])),
    (Reason.IDENTIFIER_MALFORMED, "identifiers[0]", said(**identified(("email", CANARY)))),
    (Reason.IDENTIFIER_MALFORMED, "identifiers[1]", said(**identified(("customer", "c"), ("phone", CANARY)))),
    (Reason.IDENTIFIER_MALFORMED, "identifiers[0]", said(**identified((CANARY, CANARY)))),
    (Reason.IDENTIFIER_MALFORMED, "identifiers[0]", said(**identified(("customer", " ")))),
    (Reason.IDENTIFIER_MALFORMED, "identifiers[0]", said(**identified(("shoe_size", CANARY * 30)))),
    (Reason.TIME_TOO_EARLY, "occurred_at", said(occurred_at=LIMITS.earliest_ms - 1)),
    (Reason.TIME_IN_FUTURE, "occurred_at", said(occurred_at=NOW + LIMITS.tolerance_ms + 1)),
    (Reason.TIMES_CONTRADICT, "sent_at", said(sent_at=NOW - LIMITS.tolerance_ms - 1)),
    (Reason.ANSWER_MISSING, "answer", said(event_type="survey.answered", answer=None, text=None, attributes={})),
    (Reason.SCALE_INVALID, "answer.scale_max", said(answer=answer(scale_max=9))),
    (Reason.SCALE_INVALID, "answer.scale_max", said(answer=answer(metric=CANARY, scale_min=3, scale_max=3))),
    (Reason.SCALE_INVALID, "answer.scale_max", said(answer=answer(metric=CANARY, scale_max=2**31 - 1))),
    (Reason.VALUE_OUT_OF_SCALE, "answer.value", said(answer=answer(11))),
    (Reason.VALUE_OUT_OF_SCALE, "answer.value", said(answer=answer(-1))),
    (Reason.AMOUNT_MALFORMED, "amount.currency", said(amount={"currency": CANARY, "minor_units": 1})),
    (Reason.AMOUNT_MALFORMED, "amount.minor_units", said(amount={"currency": "EUR", "minor_units": -(2**63)})),
    (Reason.DURATION_NEGATIVE, "duration_ms", said(duration_ms=-1)),
]


def verdict(value: bytes | None) -> Admitted | Rejection | Verdict:
    """What is said of one record that arrives now."""
    return admit(raw(value), Seen(24), admission())


@pytest.mark.parametrize(("reason", "field", "value"), WRONG, ids=[f"{n}-{wrong[0]}" for n, wrong in enumerate(WRONG)])
def test_a_rejection_says_what_was_expected_and_what_came(reason: Reason, field: str, value: bytes | None) -> None:
    """Reason and field are right, nothing is left out, and nothing personal is said."""
    found = verdict(value)
    assert isinstance(found, Rejection)
    assert (found.reason, found.field) == (reason, field)
    assert found.expected
    assert found.got
    out = rejected(raw(value, 7), found, STAGE)
    assert out.value == value
    told = b" ".join(text for _, text in out.headers).decode().lower()
    for length in (len(CANARY), 3):
        assert CANARY[:length].lower() not in told
        assert CANARY[:length].encode().hex() not in told


def test_every_reason_can_be_reached() -> None:
    """The list is closed, and nothing in it is idle; a fault of ours is no fault of a record, and ClickHouse judges rows."""
    others = {Reason.PROCESSING_FAILED, Reason.ROW_REFUSED, Reason.TOUCHPOINT_UNKNOWN}
    assert {reason for reason, _, _ in WRONG} == set(Reason) - others - set(OF_BODIES)


def test_an_installation_may_take_listed_touchpoints_alone() -> None:
    """Whatever the type is, it must be in the catalogue then."""
    strict = replace(admission(), known_types=frozenset({"call.ended"}))
    assert isinstance(admit(raw(said(event_type="call.ended")), Seen(24), strict), Admitted)
    found = admit(raw(said(event_type="page.viewed")), Seen(24), strict)
    assert isinstance(found, Rejection)
    assert (found.reason, found.field) == (Reason.TOUCHPOINT_UNKNOWN, "event_type")


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"source": "pbx-north", "event_type": "call.ended", "channel": "call"}, {"pbx-north", "call.ended", "call"}),
        ({"source": "John Smith", "event_type": CANARY, "channel": "call", "text": CANARY}, {"call"}),
        ({}, set()),
    ],
)
def test_of_what_could_be_read_names_alone_are_told(record: Record, told: set[str]) -> None:
    """So that the rejections of a source can be counted; a text in a name's place is not repeated."""
    why = Rejection(Reason.DECODE, "", "a", "b")
    headers = dict(rejected(raw(b"x", 7), why, STAGE, record).headers)
    assert {
        headers[f"cx.{name}"].decode() for name in ("source", "event_type", "channel") if f"cx.{name}" in headers
    } == told


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"occurred_at": LIMITS.earliest_ms},
        {"occurred_at": NOW + DAY},
        {"answer": answer(0)},
        {"answer": answer(10)},
        {"answer": answer(-5, metric="mood", scale_min=-5, scale_max=5)},
        {"amount": {"currency": "JPY", "minor_units": -100}},
        {"duration_ms": 0},
        {"event_type": "order.item.returned"},
        {"identifiers": [{"namespace": "shoe_size", "value": "43"}]},
    ],
    ids=str,
)
def test_what_lies_on_the_edge_is_let_in(changes: Record) -> None:
    """Limits belong to what is allowed."""
    assert isinstance(verdict(wire(touchpoint(**changes))), Admitted)


def test_a_rejected_record_is_not_remembered() -> None:
    """So that a corrected one with the same id is let in."""
    seen = Seen(24)
    assert isinstance(admit(raw(wire(touchpoint(duration_ms=-1))), seen, admission()), Rejection)
    assert isinstance(admit(raw(wire(touchpoint())), seen, admission()), Admitted)
    assert admit(raw(wire(touchpoint())), seen, admission()) is Verdict.DUPLICATE


def test_an_event_id_is_known_whoever_sends_it_and_whatever_it_says() -> None:
    """It names the event, once and for ever."""
    seen = Seen(24)
    assert isinstance(admit(raw(wire(touchpoint())), seen, admission()), Admitted)
    other = touchpoint(source="app", event_type="app.opened", channel="app", text="else")
    assert admit(raw(wire(other)), seen, admission()) is Verdict.DUPLICATE


def test_a_rejected_record_keeps_its_bytes_and_names_its_place() -> None:
    """In the headers that dead-letter tools read, and in our own."""
    value = wire(touchpoint(duration_ms=-1))
    found = verdict(value)
    assert isinstance(found, Rejection)
    headers = dict(rejected(raw(value, 7), found, STAGE).headers)
    assert headers["__connect.errors.topic"] == b"cx.touchpoints.web.v1"
    assert headers["__connect.errors.offset"] == b"7"
    assert headers["__connect.errors.exception.message"] == b"duration_ms: expected 0 or more, got -1"
    assert headers["cx.reason"] == b"duration_negative"
    assert headers["cx.schema_id"] == str(int.from_bytes(value[1:HEAD_BYTES], "big")).encode()
