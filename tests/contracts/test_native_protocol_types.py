"""Every type that the project's tables use goes in through clickhouse-driver and comes out equal."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.clickhouse import Database

COMPRESSIONS = [False, "lz4", "zstd"]
ANY_TYPE = {"allow_suspicious_low_cardinality_types": 1}


def _signed(bits: int) -> list[int]:
    return [-(1 << bits - 1), -1, 0, 1, (1 << bits - 1) - 1]


def _unsigned(bits: int) -> list[int]:
    return [0, 1, (1 << bits) - 1]


TYPES: dict[str, list[Any]] = {
    "String": ["", "a", "ünï → 日本", "x" * 127, "y" * 128, "z" * 20_000, "nul\0inside", "quote's \\ `"],
    "FixedString(16)": ["0123456789abcdef", "fedcba9876543210"],
    "LowCardinality(String)": ["web", "", "web", "phone", "ü" * 200],
    "LowCardinality(Nullable(String))": [None, "web", "", None, "phone"],
    "LowCardinality(UInt64)": [5, 5, 0, (1 << 64) - 1],
    "LowCardinality(FixedString(3))": ["abc", "abc", "xyz"],
    "LowCardinality(Date)": [date(2024, 2, 29), date(1970, 1, 1)],
    "Bool": [True, False],
    "Float32": [0.0, -1.5, 0.25],
    "Float64": [0.0, -0.0, 1e308, 5e-324, math.inf, -math.inf],
    "Date": [date(1970, 1, 1), date(2024, 2, 29), date(2149, 6, 6)],
    "Date32": [date(1900, 1, 1), date(2299, 12, 31)],
    "DateTime('UTC')": [datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)],
    "DateTime64(3, 'UTC')": [datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC), datetime(1901, 1, 1, tzinfo=UTC)],
    "UUID": [UUID(int=0), UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"), UUID(int=(1 << 128) - 1)],
    "Enum8('new' = 1, 'it''s, (odd' = -2)": ["new", "it's, (odd"],
    "Enum16('big' = 1000, 'small' = -1000)": ["big", "small"],
    "Decimal(9, 4)": [Decimal("12345.6789"), Decimal("-0.0001")],
    "Decimal(18, 2)": [Decimal("9999999999999999.99"), Decimal("-0.01"), Decimal(0)],
    "Decimal(38, 5)": [Decimal("123456789012345678901234567890123.12345")],
    "IPv4": [IPv4Address("0.0.0.0"), IPv4Address("127.0.0.1"), IPv4Address("255.255.255.255")],
    "IPv6": [IPv6Address("::"), IPv6Address("2001:db8::1")],
    "Array(String)": [[], ["a"], ["", "b" * 300], []],
    "Array(UInt64)": [[], [1, 2, 3], list(range(1000))],
    "Array(Nullable(String))": [[None, "a"], [], [None]],
    "Array(LowCardinality(String))": [["a", "b", "a"], [], ["c"]],
    "Array(Array(UInt8))": [[[1, 2], []], [], [[3]]],
    "Array(Tuple(String, Int32))": [[("a", 1), ("b", -2)], [], [("", 0)]],
    "Array(Tuple(kind String, at DateTime64(3, 'UTC')))": [[("a", datetime(2024, 1, 1, tzinfo=UTC))], []],
    "Tuple(String, UInt8)": [("a", 1), ("", 255)],
    "Tuple(a LowCardinality(String), `b c` Array(UInt8))": [("x", [1]), ("y", [])],
    "Map(LowCardinality(String), String)": [{}, {"k": "v"}, {"a": "", "b": "x" * 200}],
    "Map(String, UInt64)": [{}, {"k": 1}, {"a": 0, "b": (1 << 64) - 1}],
    "Map(String, Array(String))": [{"a": ["x", "y"]}, {}],
    "SimpleAggregateFunction(sum, UInt64)": [1, 2],
    "SimpleAggregateFunction(max, Nullable(DateTime('UTC')))": [None, datetime(2024, 1, 1, tzinfo=UTC)],
    **{f"UInt{bits}": _unsigned(bits) for bits in (8, 16, 32, 64, 128, 256)},
    **{f"Int{bits}": _signed(bits) for bits in (8, 16, 32, 64, 128, 256)},
}
NULLABLE = (
    "String", "FixedString(16)", "Bool", "Float64", "Date", "DateTime('UTC')", "DateTime64(3, 'UTC')", "UUID",
    "Decimal(18, 2)", "IPv4", "IPv6", *(f"{kind}{bits}" for kind in ("UInt", "Int") for bits in (8, 16, 32, 64)),
)  # fmt: skip
CASES = {**TYPES, **{f"Nullable({name})": [None, *TYPES[name], None] for name in NULLABLE}}


def _round_trip(database: Database, type_name: str, values: list[Any], **options: Any) -> list[Any]:
    with database.client(**options) as client:
        client.execute(f"CREATE TABLE t (i UInt32, v {type_name}) ENGINE = MergeTree ORDER BY i", settings=ANY_TYPE)
        assert client.execute("INSERT INTO t (i, v) VALUES", [list(range(len(values))), values], columnar=True) == len(
            values
        )
        rows: list[tuple[Any]] = client.execute("SELECT v FROM t ORDER BY i")
        return [row[0] for row in rows]


@pytest.mark.parametrize("type_name", CASES)
def test_a_type_comes_back_as_it_went(database: Database, type_name: str) -> None:
    assert _round_trip(database, type_name, CASES[type_name]) == CASES[type_name]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_all_types_together_come_back_with_each_compression(database: Database, compression: Any) -> None:
    rows = 300
    columns = {f"c{number}": name for number, name in enumerate(CASES)}
    data = [list(range(rows)), *([CASES[name][row % len(CASES[name])] for row in range(rows)] for name in CASES)]
    declared = ", ".join(f"{name} {type_name}" for name, type_name in columns.items())
    with database.client(compression=compression) as client:
        client.execute(f"CREATE TABLE t (i UInt32, {declared}) ENGINE = MergeTree ORDER BY i", settings=ANY_TYPE)
        client.execute("INSERT INTO t VALUES", data, columnar=True)
        result = client.execute(f"SELECT i, {', '.join(columns)} FROM t ORDER BY i", columnar=True)
        assert [list(column) for column in result] == data
        assert client.execute("SELECT * FROM t WHERE i < 0", with_column_types=True)[1][1:] == list(
            zip(columns, _engine_types(database), strict=True)
        )


def _engine_types(database: Database) -> list[str]:
    found = database.execute("SELECT type FROM system.columns WHERE database = currentDatabase() AND name != 'i'")
    return [row[0] for row in found]


def test_a_not_a_number_stays_one(database: Database) -> None:
    (value,) = _round_trip(database, "Float64", [math.nan])
    assert math.isnan(value)


@pytest.mark.parametrize("type_name", ["String", "FixedString(4)", "LowCardinality(String)", "Array(String)"])
def test_bytes_that_are_not_utf_8_stay_what_they_are(database: Database, type_name: str) -> None:
    raw = b"\xff\xfe\x00\x80"
    values = [[raw, b"ab\xc3\x28"]] if type_name.startswith("Array") else [raw, b"ab\xc3\x28"]
    assert [
        list(value) if isinstance(value, tuple) else value
        for value in _round_trip(database, type_name, values, settings={"strings_as_bytes": True})
    ] == values


def test_a_time_may_be_given_as_milliseconds_since_epoch(database: Database) -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
    milliseconds = int(moment.timestamp()) * 1000 + 123
    assert _round_trip(database, "DateTime64(3, 'UTC')", [milliseconds]) == [moment]


def test_nested_columns_are_arrays(database: Database) -> None:
    database.execute("CREATE TABLE t (i UInt8, n Nested(k String, v UInt64)) ENGINE = MergeTree ORDER BY i")
    database.execute("INSERT INTO t (i, n.k, `n.v`) VALUES", [(1, ["a", "b"], [1, 2]), (2, [], [])])
    assert database.execute("SELECT n.k, n.v FROM t ORDER BY i") == [(["a", "b"], [1, 2]), ([], [])]


def test_states_of_aggregates_are_made_and_merged_by_statements(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (day Date, people AggregateFunction(uniqExact, String), most SimpleAggregateFunction(max, UInt64))"
        " ENGINE = AggregatingMergeTree ORDER BY day"
    )
    for people, most in ((3, 10), (5, 7)):
        database.execute(
            "INSERT INTO t SELECT toDate('2024-01-01'), uniqExactState(toString(number)), max(toUInt64(%(most)s))"
            " FROM numbers(%(people)s)",
            {"people": people, "most": most},
        )
    assert database.execute("SELECT uniqExactMerge(people), max(most) FROM t GROUP BY day") == [(5, 10)]


ROW = st.tuples(
    st.text(max_size=200),
    st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.sampled_from(["web", "phone", "", "branch"]),
    st.lists(st.text(max_size=5), max_size=4),
    st.dictionaries(st.text(max_size=5), st.text(max_size=150), max_size=3),
    st.floats(allow_nan=False),
    st.uuids(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=60), compression=st.sampled_from(COMPRESSIONS))
def test_any_rows_come_back(database: Database, rows: list[tuple[Any, ...]], compression: Any) -> None:
    with database.client(compression=compression) as client:
        client.execute("DROP TABLE IF EXISTS t")
        client.execute(
            "CREATE TABLE t (i UInt32, s String, n Nullable(Int64), l LowCardinality(String), a Array(String),"
            " m Map(LowCardinality(String), String), f Float64, u UUID) ENGINE = Memory"
        )
        client.execute("INSERT INTO t VALUES", [(number, *row) for number, row in enumerate(rows)])
        assert [row[1:] for row in client.execute("SELECT * FROM t ORDER BY i")] == rows
