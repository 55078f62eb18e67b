"""What the sink sends reaches the tables, out of lists and out of arrays, however the wire is compressed."""

from typing import Any

import pyarrow as pa
import pytest

from sinks.clickhouse import ClickHouse, RowsRefused
from tests.harness.sinks import Bench

TABLE = """
CREATE TABLE wire
(
    number Int64,
    text   Nullable(String),
    few    LowCardinality(Nullable(String)),
    many   Array(LowCardinality(String)),
    pairs  Map(LowCardinality(String), Int64),
    small  Int8
)
ENGINE = MergeTree ORDER BY number
"""
ROWS = 70_000
NAMES = ("number", "text", "few", "many", "pairs", "small")
VALUES: tuple[list[Any], ...] = (
    list(range(ROWS)),
    [None if n % 3 else f"tëxt {n}" for n in range(ROWS)],
    [None if n % 5 else f"few {n % 300}" for n in range(ROWS)],
    [[f"m{n % 7}"] * (n % 3) for n in range(ROWS)],
    [{"a": n} if n % 2 else {} for n in range(ROWS)],
    [n % 100 for n in range(ROWS)],
)
TYPES = (
    pa.int64(),
    pa.string(),
    pa.string(),
    pa.list_(pa.string()),
    pa.map_(pa.string(), pa.int64()),
    pa.int32(),
)


BY_NAME = dict(zip(NAMES, VALUES, strict=True))


def in_arrays() -> list[Any]:
    """The values as a codec gives them that has arrays."""
    values = [[list(one.items()) for one in column] if name == "pairs" else column for name, column in BY_NAME.items()]
    return [pa.array(column, kind) for column, kind in zip(values, TYPES, strict=True)]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("arrays", [False, True])
def test_every_kind_of_column_arrives(bench: Bench, compression: str, *, arrays: bool) -> None:
    """Also of a type that our tables do not have, and in a block of many megabytes."""
    bench.rows(TABLE)
    database = ClickHouse(bench.settings.model_copy(update={"clickhouse_compression": compression}))
    database.insert("wire", NAMES, in_arrays() if arrays else [list(column) for column in VALUES], "token")
    found = database.columns(f"SELECT {', '.join(NAMES)} FROM wire ORDER BY number")
    database.close()
    assert [list(column) for column in found] == list(VALUES)


@pytest.mark.parametrize("arrays", [False, True])
def test_a_value_that_cannot_be_written_is_the_rows_fault(bench: Bench, *, arrays: bool) -> None:
    """Nothing is stored, and the same connection goes on."""
    bench.rows(TABLE.replace("number Int64", "number Int32"))
    database = ClickHouse(bench.settings)
    values: list[Any] = [[1 << 40], [None], [None], [[]], [{}], [1]]
    if arrays:
        values[0] = pa.array(values[0])
    with pytest.raises(RowsRefused, match=r"cannot be written \(TypeError\)"):
        database.insert("wire", NAMES, values, "token")
    database.insert("wire", NAMES, [[5], ["x"], ["y"], [["z"]], [{"a": 1}], [1]], "token 2")
    assert database.query("SELECT number FROM wire") == [(5,)]
    database.close()
