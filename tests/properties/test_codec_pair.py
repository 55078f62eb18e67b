"""The two codecs against each other and against the library alone: random records, and bytes that somebody has spoilt."""

from io import BytesIO
from typing import Any

import fastavro
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.codec import HEAD_BYTES, plain
from pipeline.events import Rejection
from schemas.registry import load
from tests.harness.codecs import ARROW, RECORDS, codec, spoilt
from tests.harness.touchpoints import REGISTRY, any_record

REFERENCE, FAST = codec("fastavro"), codec("arrow" if ARROW else "fastavro")
BATCH = 64
DECODERS = {name: (REFERENCE.decoder(name, REGISTRY), FAST.decoder(name, REGISTRY)) for name in RECORDS}
ENCODERS = {name: (REFERENCE.encoder(name, REGISTRY, ""), FAST.encoder(name, REGISTRY, "")) for name in RECORDS}
PARSED = {name: fastavro.parse_schema(plain(load(name))) for name in RECORDS}


def by_the_library(name: str, value: bytes) -> Any:
    """What fastavro reads if it reads to the end; None if it does not."""
    source = BytesIO(value)
    source.seek(HEAD_BYTES)
    try:
        record = fastavro.schemaless_reader(source, PARSED[name], None)
    except (EOFError, ValueError, LookupError, TypeError, OverflowError, MemoryError):
        return None
    return record if source.tell() == len(value) else None


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=25)
@given(data=st.data())
def test_records_go_the_same_way_through_both(name: str, data: st.DataObject) -> None:
    """Bytes, records and columns."""
    records = data.draw(st.lists(any_record(name), min_size=1, max_size=3)) * BATCH
    (slow, fast), (reading, quick) = ENCODERS[name], DECODERS[name]
    values = slow.encode_all(records)
    assert fast.encode_all(records) == values
    assert reading.decode_all(values) == quick.decode_all(values) == records
    assert reading.decode_columns(values) == quick.decode_columns(values)


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=60)
@given(data=st.data())
def test_spoilt_bytes_are_judged_the_same(name: str, data: st.DataObject) -> None:
    """What one lets pass the other does, with the same record; the library alone may be more lenient, never stricter."""
    value = data.draw(spoilt(ENCODERS[name][0].encode(data.draw(any_record(name)))))
    reading, quick = DECODERS[name]
    found = reading.decode(value)
    assert repr(quick.decode_all([value] * BATCH)) == repr([found] * BATCH)
    if not isinstance(found, Rejection):
        assert repr(by_the_library(name, value)) == repr(found)
        assert repr(reading.decode(ENCODERS[name][0].encode(found))) == repr(found)
