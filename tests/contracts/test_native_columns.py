"""Columns are written to the letter as clickhouse-driver writes them, out of lists and out of arrays."""

import struct
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from clickhouse_driver.errors import TypeMismatchError
from hypothesis import given, settings

from pipeline.codec import codec_named
from pipeline.codec.arrow import FEW, listed
from sinks.native import arrays, lists
from sinks.native.kinds import kind_of
from sinks.reader import Reader
from sinks.rows import TABLES
from tests.harness.native import Out, declared, of_driver
from tests.harness.touchpoints import REGISTRY, any_record, encoder

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(("", "a", "é", "x" * 127, "x" * 128))
LONG = st.integers(-(2**63), 2**63 - 1)
PAIRS = st.dictionaries(TEXTS, TEXTS, max_size=3)
KINDS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "String": (TEXTS, pa.string()),
    "LowCardinality(String)": (TEXTS, pa.string()),
    "LowCardinality(Nullable(String))": (st.none() | TEXTS, pa.string()),
    "Nullable(String)": (st.none() | TEXTS, pa.string()),
    "UInt8": (st.booleans(), pa.bool_()),
    "Int32": (st.integers(-(2**31), 2**31 - 1), pa.int32()),
    "Nullable(Int32)": (st.none() | st.integers(-(2**31), 2**31 - 1), pa.int32()),
    "Int64": (LONG, pa.int64()),
    "DateTime64(3, 'UTC')": (LONG, pa.int64()),
    "Nullable(DateTime64(3, 'UTC'))": (st.none() | LONG, pa.int64()),
    "Nullable(Float64)": (st.none() | st.floats(allow_nan=False), pa.float64()),
    "Array(String)": (st.lists(TEXTS, max_size=3), pa.list_(pa.string())),
    "Array(LowCardinality(String))": (st.lists(TEXTS, max_size=3), pa.list_(pa.string())),
    "Array(Int64)": (st.lists(LONG, max_size=3), pa.list_(pa.int64())),
    "Map(LowCardinality(String), String)": (PAIRS, pa.map_(pa.string(), pa.string())),
    "Map(LowCardinality(String), Int64)": (st.dictionaries(TEXTS, LONG, max_size=3), pa.map_(pa.string(), pa.int64())),
}
WRONG: tuple[Any, ...] = (
    5,
    2**64,
    "x",
    b"\xff",
    "\ud800",
    None,
    1.5,
    [],
    ["x"],
    [None],
    {},
    {"x": None},
    {5: 5},
    1j,
)


def of_list(kind: str, values: list[Any]) -> bytes:
    """What we write of a list."""
    out, known = Out(), kind_of(kind)
    assert known is not None
    out.write(lists.prefix(known))
    lists.write(known, values, out)
    return out.written()


def of_array(kind: str, values: Any) -> bytes:
    """What we write of an array."""
    known = kind_of(kind)
    assert known is not None
    return b"".join([lists.prefix(known), *arrays.column(known, values)])


def test_every_type_of_our_tables_is_known() -> None:
    """None is left to the slow way, and each is held against the driver here."""
    types = {kind for name, columns in declared().items() if name in NAMES for kind in columns.values()}
    assert all(map(kind_of, types))
    assert types <= {*KINDS, *NUMBERS}


NAMES = {table.name for table in TABLES.values()}
NUMBERS = {"Nullable(Int64)", "Array(Int32)"}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_values_are_written_as_the_driver_writes_them(kind: str, data: st.DataObject) -> None:
    """Byte by byte, however few; of arrays also where they are a part of a larger one."""
    values, arrow = KINDS[kind]
    drawn = data.draw(st.lists(values, max_size=20))
    expected = of_driver(kind, drawn)
    assert of_list(kind, drawn) == expected
    items = [list(one.items()) for one in drawn] if pa.types.is_map(arrow) else drawn
    assert of_array(kind, pa.array(items, arrow)) == expected
    before, after = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    around = pa.concat_arrays([pa.array(items[:before], arrow), pa.array(items, arrow), pa.array(items[:after], arrow)])
    part = around[len(items[:before]) : len(items[:before]) + len(items)]
    assert of_array(kind, part) == expected


@pytest.mark.parametrize("count", [255, 256, 257, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("kind", ["LowCardinality(String)", "LowCardinality(Nullable(String))"])
def test_many_different_texts(kind: str, count: int) -> None:
    """The index of a text grows with their number."""
    values = [f"t{number}" for number in range(count)]
    expected = of_driver(kind, values)
    assert of_list(kind, values) == expected
    assert of_array(kind, pa.array(values)) == expected


def test_long_texts() -> None:
    """Of which the length takes three bytes and more."""
    values = ["x" * (1 << 14), "y" * ((1 << 21) + 5), "z"]
    assert of_array("String", pa.array(values)) == of_list("String", values) == of_driver("String", values)


def test_bytes_are_texts_to_the_database() -> None:
    """Keys and values of rejected records are whatever they are."""
    values = [b"\xff\0", b"", b"abc"]
    assert of_list("String", values) == of_driver("String", values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_the_driver_refuses_is_refused(kind: str, value: Any) -> None:
    """With an error that says that it is the value's fault."""
    try:
        expected = of_driver(kind, [value, value])
    except (TypeMismatchError, struct.error, ValueError, TypeError, AttributeError, LookupError, OverflowError):
        with pytest.raises((struct.error, ValueError, TypeError, AttributeError, LookupError, OverflowError)):
            of_list(kind, [value, value])
    else:
        assert of_list(kind, [value, value]) == expected


OTHERS = ([1.5], [2.0], ["5"], [1 << 40], [[1]], [["x"]], [None, "x"], [None, 5], [{"a": 1}], [True])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", OTHERS, ids=repr)
def test_an_array_of_another_type_is_refused(kind: str, values: list[Any]) -> None:
    """Nothing is cut, rounded or read out of texts on the way: where something is written, the driver writes the same."""
    try:
        written = of_array(kind, pa.array(values))
    except TypeError:
        return
    assert written == of_driver(kind, values)


@pytest.mark.parametrize("topic", [topic for topic, table in TABLES.items() if table.record])
@settings(max_examples=15)
@given(data=st.data())
def test_tables_are_written_the_same_with_every_codec(topic: str, data: st.DataObject) -> None:
    """From the bytes of records to those of columns."""
    table = TABLES[topic]
    contents = data.draw(st.lists(any_record(str(table.record)), min_size=1, max_size=9)) * FEW
    values = [encoder(str(table.record)).encode(content) for content in contents]
    records = [SimpleNamespace(topic=topic, partition=3, offset=n, value=value) for n, value in enumerate(values)]
    quick, plain = (Reader("", REGISTRY, codec_named(name)).columns(records) for name in ("arrow", "fastavro"))
    assert not quick or not all(isinstance(column, list) for column in quick)
    assert bool(quick) == bool(plain)
    for name, column, values in zip(table.columns if plain else (), quick, plain, strict=True):
        kind = declared()[table.name][name]
        written = of_list(kind, column) if isinstance(column, list) else of_array(kind, column)
        assert written == of_driver(kind, values), name
        assert (column if isinstance(column, list) else listed(column)) == values
