"""Records become rows: every column has its value, and what others put on the topic of rejected records breaks nothing."""

import re
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from processors.rejects import rejected
from schemas.registry import load
from sinks.rows import TABLES, Where, rejected_record
from tests.harness.native import declared
from tests.harness.touchpoints import any_record, raw

WHERE = Where("cx.t", 3, 42)
NUMBERS = {"source_partition": 31, "source_offset": 63, "schema_id": 63, "attempt": 31}


@pytest.mark.parametrize("topic", TABLES)
def test_every_column_is_declared_and_filled(topic: str) -> None:
    """The table has the columns that are inserted, and no other."""
    table = TABLES[topic]
    assert set(table.columns) == set(declared()[table.name])
    assert len(set(table.columns)) == len(table.columns)


@pytest.mark.parametrize("topic", [topic for topic, table in TABLES.items() if table.record])
@given(data=st.data())
def test_a_row_has_a_value_for_each_column(topic: str, data: st.DataObject) -> None:
    """And ends with where its record lies."""
    table = TABLES[topic]
    record = data.draw(any_record(str(table.record)))
    rows = list(table.rows(record, WHERE))
    expected = len(record["windows"]) if topic == "scores.v1" else 1
    assert len(rows) == expected
    for row in rows:
        named = dict(zip(table.columns, row, strict=True))
        assert row[-3:] == ("cx.t", 3, 42)
        assert {name: value for name, value in record.items() if name in named} == {
            name: named[name] for name in record if name in named
        }


@pytest.mark.parametrize("topic", [topic for topic, table in TABLES.items() if table.record])
def test_no_field_of_a_record_is_left_out(topic: str) -> None:
    """Each is a column, or the beginning of some columns' names."""
    table = TABLES[topic]
    beginnings = {re.split(r"[._]", column)[0] for column in table.columns} | set(table.columns)
    window = {field["name"] for field in load(str(table.record))["fields"]}
    assert {name for name in window if name not in beginnings} <= {"windows"}


HEADER_NAMES = st.sampled_from(
    ("__connect.errors.partition", "__connect.errors.offset", "cx.schema_id", "cx.attempt", "cx.reason", "cx.field")
)
ODD = st.binary(max_size=8) | st.sampled_from(
    (b"--5", "²".encode(), b"9" * 19, b"1" * 5000, b"2147483648", b"-1", b" 7")
)


@given(st.dictionaries(HEADER_NAMES, ODD))
def test_odd_headers_become_values_that_fit(headers: dict[str, bytes]) -> None:
    """Whatever another tool wrote, the row can be inserted."""
    record = rejected_record(headers, None, None, 0)
    for name, bits in NUMBERS.items():
        assert record[name] is None or -(2**bits) <= record[name] < 2**bits
    (row,) = TABLES["rejected.v1"].rows(record, WHERE)
    assert len(row) == len(TABLES["rejected.v1"].columns)


def test_a_record_that_resolve_rejected_is_told_in_full() -> None:
    """From the headers that the stage wrote."""
    from processors.dedupe import Seen
    from processors.resolve import admit
    from tests.harness.touchpoints import admission

    value = b"\0\0\0\0\1\2"
    why: Any = admit(raw(value, 7), Seen(1), admission())
    out = rejected(raw(value, 7), why, "resolve")
    record = rejected_record(dict(out.headers), b"key", out.value, 99)
    assert record == {
        "source_topic": "cx.touchpoints.web.v1",
        "source_partition": 0,
        "source_offset": 7,
        "rejected_at": 99,
        "stage": "resolve",
        "reason": "decode",
        "field": "",
        "expected": "a record of the schema",
        "got": "bytes that are none",
        "schema_id": 1,
        "attempt": 1,
        "key": b"key",
        "payload": value,
        "source": "",
        "event_type": "",
        "channel": "",
    }
