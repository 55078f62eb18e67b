"""Whatever bytes come: a reason and no exception, soon and without much memory; and nothing that is let in stops a later stage."""

import tracemalloc
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.codec import HEAD_BYTES, Decoder, head
from pipeline.events import Rejection
from pipeline.topics import OUTPUTS, REJECTED, RESOLVED
from processors.validate import MOST_MINOR_UNITS, MOST_POINTS
from sinks.rows import TABLES, Where
from tests.harness.touchpoints import (
    NOW,
    REGISTRY,
    Record,
    answer,
    held,
    journey_fold,
    raw,
    records_of,
    resolve_fold,
    resolved_log,
    touchpoint,
    wire,
)

DECODER = Decoder("touchpoint", REGISTRY)
FULL = wire(
    touchpoint(
        answer=answer(),
        amount={"currency": "EUR", "minor_units": -1},
        promise={"promise_id": "p", "kind": "callback", "due_at": NOW},
        text="ä" * 40,
        attributes={"a": "b", "c": "d"},
    )
)
TOUCHPOINT = head(1)


def varint(number: int) -> bytes:
    """A number as Avro writes it."""
    rest, out = (number << 1) ^ (number >> 63), b""
    rest &= (1 << 64) - 1
    while rest >= 0x80:
        out, rest = out + bytes([rest & 0x7F | 0x80]), rest >> 7
    return out + bytes([rest])


BODY = FULL[HEAD_BYTES:]
BEFORE_IDENTIFIERS = wire(touchpoint()).index(b"\x10web-shop") + len(b"\x10web-shop\0")
BOMBS = {
    **{
        f"a text of {n} bytes": TOUCHPOINT + varint(n) + BODY for n in (1 << 31, 1 << 40, (1 << 63) - 1, -1, -(1 << 63))
    },
    **{
        f"{n} identifiers": wire(touchpoint())[:BEFORE_IDENTIFIERS] + varint(n) + b"\0" * 50
        for n in (1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 40), -(1 << 63))
    },
    "a number that goes on": TOUCHPOINT + b"\xff" * 1_000_000,
    "a number that goes on and ends": TOUCHPOINT + b"\xff" * 1_000_000 + b"\1",
    "zeros": b"\0" * 1_000_000,
    "twos": TOUCHPOINT + b"\2" * 1_000_000,
    "no text": TOUCHPOINT + b"\2\xff" + BODY,
    "half a surrogate": TOUCHPOINT + b"\6\xed\xa0\x80" + BODY,
    "an unknown channel": TOUCHPOINT + b"\2a\2b" + varint(99) + BODY,
}


@given(st.binary(max_size=200), st.sampled_from((b"", b"\0", TOUCHPOINT, head(2), head(3), head(99))))
def test_random_bytes_are_a_touchpoint_or_have_a_reason(body: bytes, beginning: bytes) -> None:
    """Nothing is raised."""
    assert isinstance(DECODER.decode(beginning + body), Rejection | dict)


def test_every_truncation_has_a_reason() -> None:
    """Half a record is none."""
    for end in range(len(FULL)):
        assert isinstance(DECODER.decode(FULL[:end]), Rejection), end
    assert isinstance(DECODER.decode(FULL), dict)


def test_every_flipped_bit_is_survived() -> None:
    """Through both stages and into rows: rejected, or let in and harmless."""
    flipped = [bytes([*FULL[:n], FULL[n] ^ (1 << bit), *FULL[n + 1 :]]) for n in range(len(FULL)) for bit in range(8)]
    outs = resolve_fold().fold([raw(value, n) for n, value in enumerate(flipped)])
    assert {out.topic for out in outs} == {RESOLVED, REJECTED}
    everything(outs)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("value", BOMBS.values(), ids=BOMBS)
def test_bombs_are_cheap(value: bytes) -> None:
    """A length that a record only claims to have costs no memory, and no time without end."""
    tracemalloc.start()
    try:
        found = DECODER.decode(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, Rejection)
    # What a record really holds may cost a dictionary for every two bytes of it.
    assert peak < 100 * len(value) + 1_000_000


LONGS = st.sampled_from((-(1 << 63), -1, 0, (1 << 63) - 1))
SCALES = st.sampled_from(((0, 1), (-MOST_POINTS, MOST_POINTS), (0, MOST_POINTS), (-(1 << 31), (1 << 31) - 1)))


@st.composite
def extremes(draw: st.DrawFn) -> Record:
    """A touchpoint that is let in, with anything in the fields that nobody checks and extremes in the others."""
    low, high = draw(SCALES)
    asked = answer(
        draw(st.sampled_from((low, high))), metric=draw(st.text("|m\0", max_size=3)), scale_min=low, scale_max=high
    )
    units = draw(st.sampled_from((-MOST_MINOR_UNITS, MOST_MINOR_UNITS, (1 << 63) - 1, -(1 << 63))))
    return touchpoint(
        sent_at=draw(LONGS),
        source_sequence=draw(LONGS),
        source_session=draw(st.none() | st.text("s\0", max_size=2)),
        promise=draw(st.none() | st.just({"promise_id": "", "kind": "", "due_at": -(1 << 63)})),
        event_id=draw(st.text("ab\0", min_size=1, max_size=4)),
        source=draw(st.text("s\0", min_size=1, max_size=3)),
        duration_ms=draw(LONGS),
        occurred_at=draw(LONGS | st.integers(NOW - 10**9, NOW)),
        answer=draw(st.none() | st.just(asked)),
        amount=draw(st.none() | st.just({"currency": "EUR", "minor_units": units})),
    )


@given(st.lists(extremes(), min_size=1, max_size=8))
def test_nothing_that_is_let_in_stops_a_later_stage(records: list[Record]) -> None:
    """One person with extreme values over and over: every sum stays writable."""
    outs = resolve_fold().fold([raw(wire(record), n) for n, record in enumerate(records)])
    everything(outs)


def everything(outs: list[Any]) -> None:
    """All that follows from the resolve stage's output: the journey stage, a restart of it, and rows for the tables."""
    log = resolved_log(outs)
    fold, again = journey_fold(), journey_fold()
    told = [record for one in log for record in records_of(fold.fold([one]))]
    for key, packed in fold.changes():
        again.restore(key, packed)
    again.restored()
    told += records_of(again.fold(log))
    for topic, record in told:
        _fits(list(TABLES[topic].rows(record, Where(topic, 0, 0))))
    resolved = Decoder("resolved_touchpoint", REGISTRY)
    for one in log:
        found = resolved.decode(one.value)
        assert not isinstance(found, Rejection)
        _fits(list(TABLES[RESOLVED].rows(found, Where(RESOLVED, 0, 0))))
    assert set(held(told)) == set(OUTPUTS.values())


def _fits(rows: list[tuple[Any, ...]]) -> None:
    for row in rows:
        assert all(-(1 << 63) <= value < 1 << 63 for value in row if isinstance(value, int))
