"""INSERT as clickhouse-driver sends it: blocks, tokens, errors in the middle."""

from typing import Any

import pytest
from clickhouse_driver import errors

from tests.harness.clickhouse import Database
from tests.harness.waiting import until

TABLE = (
    "CREATE TABLE t (a UInt64, s String, d String DEFAULT 'absent', m UInt64 MATERIALIZED a + 1, x UInt64 ALIAS a)"
    " ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
)
COMPRESSIONS = [False, "lz4", "zstd"]


@pytest.fixture
def table(database: Database) -> Database:
    """A database with the table `t`."""
    database.execute(TABLE)
    return database


def _count(database: Database) -> int:
    return int(database.execute("SELECT count() FROM t")[0][0])


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_rows_go_in_as_rows_columns_and_dicts(table: Database, compression: Any) -> None:
    with table.client(compression=compression) as client:
        assert client.execute("INSERT INTO t (a, s, d) VALUES", [(1, "x", "y"), (2, "", "")]) == 2
        assert client.execute("INSERT INTO t (s, a) VALUES", [["p", "q"], [3, 4]], columnar=True) == 2
        assert client.execute("insert into t (a) values", [{"a": 5}]) == 1
        assert client.execute("SELECT a, s, d, m FROM t ORDER BY a") == [
            (1, "x", "y", 2),
            (2, "", "", 3),
            (3, "p", "absent", 4),
            (4, "q", "absent", 5),
            (5, "", "absent", 6),
        ]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_big_columnar_insert_in_one_block(table: Database, compression: Any) -> None:
    rows = 200_000
    with table.client(compression=compression) as client:
        numbers = list(range(rows))
        texts = [f"text {number}" * (number % 20) for number in numbers]
        client.execute("INSERT INTO t (a, s) VALUES", [numbers, texts], columnar=True)
        assert client.execute("SELECT count(), sum(a), sum(length(s)), uniqExact(s) FROM t") == [
            (rows, sum(numbers), sum(map(len, texts)), len(set(texts)))
        ]


def test_many_blocks_are_one_insert(table: Database) -> None:
    with table.client(settings={"insert_block_size": 100}) as client:
        client.execute("INSERT INTO t (a, s) VALUES", [(number, "x" * 50) for number in range(10_050)])
        assert client.execute("SELECT count(), uniqExact(a) FROM t") == [(10_050, 10_050)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_long_strings(table: Database, compression: Any) -> None:
    texts = [letter * 1_000_000 for letter in "abcdefgh"]
    with table.client(compression=compression) as client:
        client.execute("INSERT INTO t (a, s) VALUES", list(enumerate(texts)))
        assert [row[0] for row in client.execute("SELECT s FROM t ORDER BY a")] == texts


def test_nothing_can_be_inserted(table: Database) -> None:
    with table.client() as client:
        assert client.execute("INSERT INTO t (a, s) VALUES", []) == 0
        assert client.execute("INSERT INTO t (a, s) VALUES", [[], []], columnar=True) == 0
        assert client.execute("SELECT count() FROM t") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES",
        "INSERT INTO TABLE t (*) VALUES",
        "INSERT INTO t (* EXCEPT(m, x)) VALUES ;",
        'INSERT INTO {database}.t (`a`, "s", d) SETTINGS max_threads = 1 VALUES',
        "/* why */ INSERT INTO `{database}`.`t`(a,s,d)VALUES -- rows follow",
        "INSERT INTO t FORMAT Native",
    ],
)
def test_ways_to_write_an_insert(table: Database, statement: str) -> None:
    with table.client() as client:
        written = statement.format(database=table.name)
        sample = [(1, "x", "y")]
        client.execute(written, sample)
        assert client.execute("SELECT a, s, d FROM t") == sample


def test_odd_names(database: Database) -> None:
    with database.client() as client:
        client.execute("CREATE TABLE `a b``c` (`x y` UInt8, `values` String, `q``r` UInt8) ENGINE = Memory")
        client.execute("INSERT INTO `a b``c` (`x y`, `values`, `q``r`) VALUES", [(1, "v", 2)])
        assert client.execute("SELECT `q``r`, * FROM `a b``c`") == [(2, 1, "v", 2)]


def test_insert_from_a_query(table: Database) -> None:
    with table.client() as client:
        client.execute("INSERT INTO t (a, s) SELECT number, toString(number) FROM numbers(1000)")
        assert client.last_query.progress.rows == 1000
        client.execute("INSERT INTO t (a, s) WITH 7 AS n SELECT n, 'seven'")
        assert client.execute("SELECT count() FROM t") == [(1001,)]


@pytest.mark.parametrize("in_settings", [True, False])
def test_the_same_token_counts_once(table: Database, in_settings: bool) -> None:
    with table.client() as client:
        for token, first in (("one", 0), ("one", 0), ("two", 0), ("one", 500)):
            rows = [(number, "x") for number in range(first, first + 100)]
            if in_settings:
                client.execute(
                    "INSERT INTO t (a, s) VALUES",
                    rows,
                    settings={"insert_deduplication_token": token, "async_insert": 0},
                )
            else:
                client.execute(f"INSERT INTO t (a, s) SETTINGS insert_deduplication_token = '{token}' VALUES", rows)
        assert client.execute("SELECT count(), max(a) FROM t") == [(200, 99)]


def test_a_token_counts_once_in_views_too(table: Database) -> None:
    with table.client() as client:
        client.execute(
            "CREATE TABLE sums (k UInt8, n SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k"
            " SETTINGS non_replicated_deduplication_window = 100"
        )
        client.execute("CREATE MATERIALIZED VIEW v TO sums AS SELECT 1 AS k, count() AS n FROM t GROUP BY k")
        for _ in range(3):
            client.execute(
                "INSERT INTO t (a, s) VALUES",
                [(number, "x") for number in range(100)],
                settings={"insert_deduplication_token": "t", "deduplicate_blocks_in_dependent_materialized_views": 1},
            )
        assert client.execute("SELECT (SELECT count() FROM t), (SELECT sum(n) FROM sums)") == [(100, 100)]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO missing (a) VALUES", 60),
        ("INSERT INTO t (a, missing) VALUES", 16),
        ("INSERT INTO t (m) VALUES", 44),
        ("INSERT INTO t (a, a) VALUES", 15),
    ],
)
def test_an_insert_is_refused_before_the_rows(table: Database, statement: str, code: int) -> None:
    with table.client() as client:
        with pytest.raises(errors.ServerException) as refused:
            client.execute(statement, [(1, 2)])
        assert refused.value.code == code
        assert client.execute("INSERT INTO t (a) VALUES", [(1,)]) == 1
        assert _count(table) == 1


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        (["ALTER TABLE t MODIFY COLUMN s UInt32"], [(1,), (2,)]),
        (["DROP TABLE t", "CREATE TABLE t (a UInt8, s UInt32) ENGINE = MergeTree ORDER BY a"], [(2,)]),
        (["RENAME TABLE t TO old", "CREATE TABLE t (a UInt64, s UInt8) ENGINE = Memory"], [(2,)]),
        (["CREATE TABLE n (a UInt64, s UInt8) ENGINE = Memory", "EXCHANGE TABLES n AND t"], [(2,)]),
    ],
)
def test_an_insert_is_told_the_columns_as_they_are(table: Database, changes: list[str], kept: list[Any]) -> None:
    """However often the same one was made before, and whoever changed the table since."""
    with table.client() as client, table.client() as other:
        for _ in range(2):
            client.execute("INSERT INTO t (a, s) VALUES", [(1, "1")])
        for change in changes:
            other.execute(change)
        client.execute("INSERT INTO t (a, s) VALUES", [(2, 2)])
        assert client.execute("SELECT DISTINCT s FROM t ORDER BY s") == kept


def test_an_insert_is_told_the_columns_of_the_session_it_is_in(table: Database) -> None:
    """Another database has another table of that name; a temporary table hides both; a setting may forbid it."""
    with table.client() as client:
        client.execute("INSERT INTO t (a, s) VALUES", [(1, "1")])
        with pytest.raises(errors.ServerException) as refused:
            client.execute("INSERT INTO t (a, s) VALUES", [(2, "2")], settings={"readonly": 1})
        assert refused.value.code == 164
        client.execute("CREATE TEMPORARY TABLE t (a UInt64, s UInt8)")
        client.execute("INSERT INTO t (a, s) VALUES", [(2, 2)])
        assert client.execute("SELECT a, s FROM t") == [(2, 2)]
        client.execute("DROP TEMPORARY TABLE t")
        client.execute("INSERT INTO t (a, s) VALUES", [(3, "3")])
        assert client.execute("SELECT a, s FROM t ORDER BY a") == [(1, "1"), (3, "3")]
        client.execute("DROP TABLE t")
        with pytest.raises(errors.ServerException) as gone:
            client.execute("INSERT INTO t (a, s) VALUES", [(4, "4")])
        assert gone.value.code == 60


def test_an_insert_is_refused_after_the_rows(database: Database) -> None:
    database.execute("CREATE TABLE t (a UInt64, CONSTRAINT small CHECK a < 50000) ENGINE = MergeTree ORDER BY a")
    with database.client(settings={"insert_block_size": 1000}) as client:
        with pytest.raises(errors.ServerException) as refused:
            client.execute("INSERT INTO t VALUES", [(number,) for number in range(60_000)])
        assert refused.value.code == 469
        assert client.execute("SELECT count() FROM t") == [(0,)]
        client.execute("INSERT INTO t VALUES", [(1,)])
        assert client.execute("SELECT count() FROM t") == [(1,)]


def test_an_insert_is_refused_by_a_view(table: Database) -> None:
    with table.client() as client:
        client.execute(
            "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY a AS SELECT a, throwIf(a = 70) AS refused FROM t"
        )
        with pytest.raises(errors.ServerException) as refused:
            client.execute("INSERT INTO t (a) VALUES", [(70,)])
        assert refused.value.code == 395
        assert client.execute("INSERT INTO t (a) VALUES", [(71,)]) == 1


def test_too_many_partitions_are_refused(database: Database) -> None:
    database.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a PARTITION BY a")
    with database.client() as client:
        with pytest.raises(errors.ServerException) as refused:
            client.execute("INSERT INTO t VALUES", [(number,) for number in range(500)])
        assert refused.value.code == errors.ErrorCodes.TOO_MANY_PARTS
        assert client.execute("SELECT count() FROM t") == [(0,)]


def test_a_value_that_the_driver_cannot_write_leaves_nothing(table: Database) -> None:
    with table.client() as client:
        with pytest.raises(errors.TypeMismatchError):
            client.execute("INSERT INTO t (a, s) VALUES", [(1, "x"), (None, "y")])
        assert client.execute("SELECT count() FROM t") == [(0,)]
        assert client.execute("INSERT INTO t (a, s) VALUES", [(1, "x")]) == 1


def _leave_in_the_middle(database: Database, blocks: int, token: str) -> None:
    """Send some blocks of an insert and hang up."""
    with database.client(compression="lz4") as client:
        client.establish_connection({"insert_deduplication_token": token})
        client.connection.send_query("INSERT INTO t (a, s) VALUES")
        client.connection.send_external_tables(None)
        sample = client.receive_sample_block()
        for block in range(blocks):
            rows = [(block * 1000 + row, "x" * 20) for row in range(1000)]
            client.connection.send_data(type(sample)(sample.columns_with_types, list(zip(*rows, strict=True))))
        client.connection.socket.close()
        client.connection.connected = False


@pytest.mark.parametrize("blocks", [0, 1, 40])
def test_an_insert_that_stops_in_the_middle_counts_for_nothing_and_can_be_repeated(
    table: Database, blocks: int
) -> None:
    _leave_in_the_middle(table, blocks, "again")
    until(lambda: _running(table) == 0, 5, "the abandoned insert to end")
    assert _count(table) == 0
    for _ in range(2):
        rows = [(number, "x" * 20) for number in range(40_000)]
        table.execute("INSERT INTO t (a, s) VALUES", rows, settings={"insert_deduplication_token": "again"})
        assert _count(table) == 40_000


def _running(database: Database) -> int:
    found = database.execute(
        "SELECT count() FROM system.processes WHERE query ILIKE 'insert%' AND query ILIKE '%t (a%'"
    )
    return int(found[0][0])
