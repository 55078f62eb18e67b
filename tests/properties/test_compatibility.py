"""Compatible means that every record of the one is read as the other by a library that knows nothing of our check; and not, not."""

import re
from io import BytesIO
from typing import Any

import fastavro
import hypothesis.strategies as st
from fastavro.read import SchemaResolutionError
from hypothesis import event, given, settings

from schemas.compatibility import incompatibilities
from tests.harness.evolution import changed, record_schemas, records_of

UNREADABLE = (SchemaResolutionError, ValueError, TypeError, LookupError, EOFError)


def failures(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """Why records of the writer, every branch and symbol among them, cannot be read; each record is written by the reader again."""
    found = []
    for record in records_of(writer):
        written = BytesIO()
        fastavro.schemaless_writer(written, fastavro.parse_schema(writer), record)
        written.seek(0)
        try:
            read = fastavro.schemaless_reader(written, fastavro.parse_schema(writer), fastavro.parse_schema(reader))
        except UNREADABLE as error:
            found.append(f"{type(error).__name__}: {error}")
            continue
        fastavro.schemaless_writer(BytesIO(), fastavro.parse_schema(reader), read)
    return found


@settings(max_examples=400)
@given(data=st.data())
def test_the_verdict_is_what_reading_shows(data: st.DataObject) -> None:
    """In both directions: no fault where all is read, a fault where something is not."""
    one = data.draw(record_schemas())
    other = data.draw(changed(one))
    for reader, writer in ((one, other), (other, one)):
        named, shown = incompatibilities(reader, writer), failures(reader, writer)
        event("incompatible" if named else "compatible")
        assert bool(named) == bool(shown), (named, shown)


@settings(max_examples=200)
@given(data=st.data())
def test_each_named_fault_fails_by_itself(data: st.DataObject) -> None:
    """A reader that wants nothing but the field that a fault is told of cannot read some record either."""
    writer = data.draw(record_schemas())
    reader = data.draw(changed(writer))
    for fault in incompatibilities(reader, writer):
        top = re.split(r"[.\[{]", fault.path)[0]
        alone = {**reader, "fields": [field for field in reader["fields"] if field["name"] == top]}
        assert alone["fields"], fault
        assert fault in incompatibilities(alone, writer)
        assert failures(alone, writer), fault


@given(record_schemas())
def test_a_schema_reads_itself(schema: dict[str, Any]) -> None:
    """Whatever it is made of."""
    assert incompatibilities(schema, schema) == []
