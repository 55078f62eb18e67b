"""Every record survives the wire, and every version of a schema is read as ours."""

from typing import Any

import fastavro
import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.codec import HEAD_BYTES, Decoder, Encoder, head, plain
from pipeline.events import Origin, Reason, Rejection, Resolved
from processors.resolve import Admitted, ResolvedWriter, added
from schemas.registry import Schema, load
from tests.harness.codecs import RECORDS, Registered, narrower, newer
from tests.harness.touchpoints import REGISTRY, Record, any_record, encoder, touchpoint, wire

ORIGINS = st.builds(
    Origin, st.text("abc.", max_size=9), st.integers(0, 99), st.integers(0, 1 << 60), st.integers(0, 1 << 45)
)
RESOLVED = st.builds(Resolved, st.text("p_0", max_size=9), st.text("c:0", max_size=9), st.integers(0, 9), ORIGINS)


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
def test_what_is_encoded_is_decoded(name: str, data: st.DataObject) -> None:
    """Any record of any schema, also against the library's own reading with logical types."""
    record = data.draw(any_record(name))
    value = encoder(name).encode(record)
    assert value[0] == 0
    assert int.from_bytes(value[1:HEAD_BYTES], "big") == REGISTRY.schema_id(name, "")
    assert Decoder(name, REGISTRY).decode(value) == record


@given(any_record("touchpoint"), RESOLVED)
def test_the_short_way_of_writing_gives_the_same_bytes(record: Record, resolved: Resolved) -> None:
    """A resolved touchpoint made of the touchpoint's own bytes is the one that the encoder writes."""
    whole = encoder("resolved_touchpoint")
    writer = ResolvedWriter(whole, Decoder("touchpoint", REGISTRY))
    assert writer.write_all([(wire(record), Admitted(record, resolved))]) == [
        whole.encode({**record, **added(resolved)})
    ]


@given(any_record("touchpoint"), RESOLVED)
def test_an_earlier_version_is_written_on_with_its_own_bytes(record: Record, resolved: Resolved) -> None:
    """They are those that the encoder writes of it."""
    registry = Registered({1: load("touchpoint"), 5: load("touchpoint", 1), 6: narrower()})
    for number, schema in ((5, load("touchpoint", 1)), (6, narrower())):
        value = head(number) + _written(schema, {**record, "till": "1"})
        decoder = Decoder("touchpoint", registry)
        ours = decoder.decode(value)
        assert isinstance(ours, dict)
        whole = encoder("resolved_touchpoint")
        (written,) = ResolvedWriter(whole, decoder).write_all([(value, Admitted(ours, resolved))])
        assert written == whole.encode({**ours, **added(resolved)})


@given(any_record("touchpoint"), RESOLVED, st.booleans())
def test_a_newer_version_is_read_as_ours(record: Record, resolved: Resolved, unknown_channel: bool) -> None:
    """What we do not know is left out, and an unknown channel becomes `other`; so it is written on, too."""
    registry = Registered({1: load("touchpoint"), 2: load("resolved_touchpoint"), 7: newer()})
    theirs = {**record, "mood": "fine"} | ({"channel": "hologram"} if unknown_channel else {})
    value = b"\0\0\0\0\7" + _written(newer(), theirs)
    ours = {**record, "channel": "other"} if unknown_channel else record
    assert Decoder("touchpoint", registry).decode(value) == ours
    writer = ResolvedWriter(encoder("resolved_touchpoint"), Decoder("touchpoint", registry))
    (written,) = writer.write_all([(value, Admitted(ours, resolved))])
    assert Decoder("resolved_touchpoint", REGISTRY).decode(written) == {**ours, **added(resolved)}


def _written(schema: Schema, record: Record) -> bytes:
    from io import BytesIO

    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(plain(schema)), record)
    return out.getvalue()


def _with(**fields: Any) -> Schema:
    return {**load("touchpoint"), **fields}


UNSUITABLE: dict[str, Any] = {
    "another record": load("session"),
    "no record at all": "string",
    "a union": ["null", "string"],
    "nothing": None,
    "a name and no more": {"name": "Touchpoint"},
    "a type from elsewhere": _with(fields=[{"name": "a", "type": "other.Thing"}]),
    "no fields": _with(fields="none"),
    "fields of another type": _with(fields=[{**load("touchpoint")["fields"][0], "type": "int"}]),
    "fields that are not enough": _with(fields=load("touchpoint")["fields"][4:5]),
}


@pytest.mark.parametrize("schema", UNSUITABLE.values(), ids=UNSUITABLE)
def test_a_registered_schema_that_is_no_touchpoint_is_a_reason(schema: Any) -> None:
    """Whatever somebody has registered, a record that names it is rejected; nothing is raised."""
    decoder = Decoder("touchpoint", Registered({1: load("touchpoint"), 7: schema}))
    found = decoder.decode(b"\0\0\0\0\7" + b"\2" * 40)
    assert isinstance(found, Rejection)
    assert found.reason in {Reason.SCHEMA_UNSUITABLE, Reason.TRAILING_BYTES, Reason.DECODE}
    assert isinstance(decoder.decode(b"\0\0\0\0\7\0"), Rejection)
    assert found.expected
    assert found.got


def test_an_unknown_id_is_a_reason() -> None:
    """And says which."""
    found = Decoder("touchpoint", REGISTRY).decode(b"\0\0\0\1\0" + wire(touchpoint())[HEAD_BYTES:])
    assert found == Rejection(Reason.SCHEMA_UNKNOWN, "", "a registered schema id", "256")


@pytest.mark.parametrize(
    "wrong",
    [{"event_id": 5}, {"channel": "nowhere"}, {"occurred_at": "now"}, {"occurred_at": 1 << 63}, {"attributes": [1]}],
    ids=str,
)
def test_a_record_of_ours_that_does_not_fit_is_an_error(wrong: Record) -> None:
    """Never half a record on the wire."""
    with pytest.raises((ValueError, TypeError, AttributeError, OverflowError)):
        Encoder("touchpoint", REGISTRY, "").encode(touchpoint(**wrong))
