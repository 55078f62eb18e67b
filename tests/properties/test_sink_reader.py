"""Whole columns say the same as row by row, for every table and with every codec."""

from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.codec import codec_named
from pipeline.codec.arrow import FEW, listed
from sinks.reader import Reader, RecordUnreadable
from sinks.rows import TABLES, Where
from tests.harness.touchpoints import REGISTRY, any_record, encoder

PREFIX = "cx."
READERS = [Reader(PREFIX, REGISTRY, codec_named(name)) for name in ("fastavro", "auto")]


def lying(topic: str, offset: int, value: bytes) -> Any:
    """A record of Kafka."""
    return SimpleNamespace(topic=PREFIX + topic, partition=3, offset=offset, value=value)


@pytest.mark.parametrize("topic", [topic for topic, table in TABLES.items() if table.record])
@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=15)
@given(data=st.data())
def test_columns_are_rows(topic: str, reader: Reader, data: st.DataObject) -> None:
    """Value by value, in the order of the table's columns."""
    table = TABLES[topic]
    drawn = data.draw(st.lists(any_record(str(table.record)), max_size=24))
    contents = drawn * data.draw(st.sampled_from((1, FEW)))
    values = [encoder(str(table.record)).encode(content) for content in contents]
    records = [lying(topic, n, value) for n, value in enumerate(values)]
    rows = [row for r in records for row in table.rows(reader.content(r), Where(r.topic, r.partition, r.offset))]
    columns = reader.columns(records)
    assert [column if isinstance(column, list) else listed(column) for column in columns] == [
        list(column) for column in zip(*rows, strict=True)
    ]
    assert not rows or len(columns) == len(table.columns)


@pytest.mark.parametrize("topic", ["touchpoints.resolved.v1", "scores.v1"])
def test_one_that_cannot_be_read_is_named(topic: str) -> None:
    """By its place, and nothing of it."""
    for reader in READERS:
        with pytest.raises(RecordUnreadable, match=rf"^cx\.{topic}-3@17: magic$"):
            reader.columns([lying(topic, 17, b"junk")])
