"""Whatever a body holds: valid touchpoints come out as they went in, in every form, and everything else is a reason."""

import io
import json
from typing import Any

import fastavro
import hypothesis.strategies as st
from hypothesis import given, settings

from pipeline.codec import Decoder, plain
from pipeline.intake import avro_bodies, bodies
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents
from pipeline.intake.judging import Bad, Good, Judge, outs
from pipeline.intake.reading import read
from pipeline.intake.shape import shape_of
from schemas.registry import load
from tests.harness.touchpoints import NOW, REGISTRY, Record, admission, any_record, encoder

SHAPE = shape_of("touchpoint")
DECODER = Decoder("touchpoint", REGISTRY)
JUDGE = Judge("web-shop", SHAPE, admission(), 1 << 20)
MOST = 100


def as_sent(record: Record) -> Record:
    """A record as a source has it: without what the intake stamps."""
    return {name: value for name, value in record.items() if name != "received_at"}


def container(records: list[Record], codec: str) -> bytes:
    """An object container file, as another library writes it."""
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(plain(load("touchpoint"))), records, codec=codec, sync_interval=200)
    return out.getvalue()


@given(record=any_record("touchpoint"))
def test_json_says_all_that_avro_says(record: Record) -> None:
    """Any record of the schema can be sent as JSON."""
    found = read(json.dumps(as_sent(record)).encode(), SHAPE)
    assert found == as_sent(record)


@given(records=st.lists(any_record("touchpoint"), max_size=3), indent=st.sampled_from([None, 1]))
def test_a_list_and_lines_hold_the_same_events(records: list[Record], indent: int | None) -> None:
    """However they are written."""
    sent = [as_sent(record) for record in records]
    listed = bodies.json_events(json.dumps(sent, indent=indent).encode(), MOST)
    lined = bodies.lines("\r\n".join(map(json.dumps, sent)).encode(), MOST)
    assert [read(event, SHAPE) for event in listed] == [read(event, SHAPE) for event in lined] == sent


@given(records=st.lists(any_record("touchpoint"), max_size=3), codec=st.sampled_from(["null", "deflate"]))
def test_containers_are_read_as_they_were_written(records: list[Record], codec: str) -> None:
    """With or without compression, in as many blocks as it likes."""
    assert list(avro_bodies.records(container(records, codec), DECODER, MOST, 1 << 20)) == records


@given(records=st.lists(any_record("touchpoint"), min_size=1, max_size=3), data=st.data())
def test_a_damaged_container_is_unreadable_or_says_something_else(records: list[Record], data: st.DataObject) -> None:
    """Never more than it says, and never an exception of another kind."""
    whole = container(records, data.draw(st.sampled_from(["null", "deflate"])))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]]))
    try:
        found = list(avro_bodies.records(damaged, DECODER, MOST, 1 << 20))
    except (BodyUnreadable, TooManyEvents):
        return
    for record in found:
        encoder("touchpoint").encode(record)


@settings(max_examples=300)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.text().map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["event_id", "answer", "x", "value"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_body_is_judged(body: bytes) -> None:
    """As every form; what is good is on the wire, what is bad keeps its bytes."""
    judged: list[Any] = []
    for split in (bodies.json_events, bodies.lines):
        try:
            judged += [JUDGE.json(event, NOW) for event in split(body, MOST)]
        except (BodyUnreadable, TooManyEvents):
            continue
    judged.append(JUDGE.avro(body, NOW))
    good = [one for one in judged if isinstance(one, Good)]
    bad = [one for one in judged if isinstance(one, Bad)]
    written = outs("cx.", encoder("touchpoint"), good, bad)
    assert len(written) == len(judged)
    assert [one.value for one in written[len(good) :]] == [one.body for one in bad]
