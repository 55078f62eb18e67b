"""Statements other than INSERT: results, settings, databases, errors, as clickhouse-driver sees them."""

from typing import Any

import pytest
from clickhouse_driver import Client, errors

from tests.harness.clickhouse import Database, Server

ROWS = 1_000_000


def test_the_server_says_which_version_it_is(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        ((version, zone),) = client.execute("SELECT version(), timezone()")
        info = client.connection.server_info
        assert zone == "UTC"
        assert (info.name, info.get_timezone()) == ("ClickHouse", "UTC")
        assert version.startswith(f"{info.version_major}.{info.version_minor}.{info.version_patch}")


@pytest.mark.parametrize("compression", [False, "lz4", "zstd"])
def test_a_million_rows_come_block_by_block(clickhouse: Server, compression: Any) -> None:
    with clickhouse.client(compression=compression) as client:
        rows = client.execute_iter("SELECT number, toString(number) FROM numbers(%(n)s)", {"n": ROWS})
        assert sum(int(text) == number for number, text in rows) == ROWS
        assert client.execute("SELECT 1") == [(1,)]


def test_small_blocks_keep_their_borders(clickhouse: Server) -> None:
    with clickhouse.client(settings={"max_block_size": 7}) as client:
        rows = list(client.execute_iter("SELECT number, toString(number) FROM numbers(100)"))
        assert rows == [(number, str(number)) for number in range(100)]


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT 1 AS a, 'x' AS b WHERE 0", [("a", "UInt8"), ("b", "String")]),
        ("SELECT number FROM numbers(10) WHERE number > 20 SETTINGS max_threads = 1", [("number", "UInt64")]),
        ("SELECT toNullable(1) AS n, count() AS c GROUP BY n HAVING c > 5 -- nothing", None),
        ("SHOW TABLES", [("name", "String")]),
        ("WITH 1 AS x SELECT x LIMIT 0", [("x", "UInt8")]),
    ],
)
def test_an_empty_result_has_its_columns(database: Database, statement: str, columns: Any) -> None:
    rows, found = database.execute(statement, with_column_types=True)
    assert rows == []
    assert columns is None or found == columns


def test_statements_about_tables(database: Database) -> None:
    database.execute("CREATE TABLE t (a UInt8, b String DEFAULT 'x') ENGINE = MergeTree ORDER BY a")
    assert database.execute("EXISTS TABLE t") == [(1,)]
    assert database.execute("EXISTS TABLE missing") == [(0,)]
    assert database.execute("SHOW TABLES") == [("t",)]
    assert [row[:4] for row in database.execute("DESCRIBE TABLE t")] == [
        ("a", "UInt8", "", ""),
        ("b", "String", "DEFAULT", "'x'"),
    ]
    assert "MergeTree" in database.execute("SHOW CREATE TABLE t")[0][0]
    database.execute("ALTER TABLE t ADD COLUMN c UInt64")
    database.execute("INSERT INTO t SELECT number, toString(number), 1 FROM numbers(10)")
    database.execute("ALTER TABLE t DELETE WHERE a = 3 SETTINGS mutations_sync = 2")
    database.execute("OPTIMIZE TABLE t FINAL")
    assert database.execute("SELECT count(), sum(c) FROM t;") == [(9, 9)]
    assert len(database.execute("EXPLAIN SELECT * FROM t")) > 1
    assert database.execute("SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND active") == [
        (9,)
    ]
    assert database.execute("SELECT count() FROM system.columns WHERE database = currentDatabase()") == [(3,)]
    assert database.execute("SELECT count() > 100 FROM system.settings") == [(1,)]
    database.execute("TRUNCATE TABLE t")
    database.execute("DROP TABLE t SYNC")
    assert database.execute("SHOW TABLES") == []


def test_parameters_are_put_in_by_the_driver(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        odd = "it's; \\ -- /* ` \" ünï\n\t%"
        assert client.execute("SELECT %(text)s, %(list)s, %(none)s", {"text": odd, "list": [1, 2], "none": None}) == [
            (odd, [1, 2], None)
        ]


def test_a_format_clause_is_the_clients_own(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        assert client.execute("SELECT 1 AS a FORMAT JSONEachRow") == [(1,)]
        assert client.execute("SELECT 'FORMAT JSON'") == [("FORMAT JSON",)]


def test_each_connection_has_its_database(clickhouse: Server) -> None:
    with clickhouse.database() as one, clickhouse.database() as two, one.client() as first, two.client() as second:
        first.execute("CREATE TABLE t (a UInt8) ENGINE = Memory")
        assert second.execute("EXISTS TABLE t") == [(0,)]
        first.execute(f"USE {two.name}")
        assert first.execute("SELECT currentDatabase()") == [(two.name,)]
        assert second.execute("SELECT currentDatabase()") == [(two.name,)]
        with one.client() as third:
            assert third.execute("SELECT currentDatabase()") == [(one.name,)]


def test_settings_are_those_of_one_query(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        ask = "SELECT toString(getSetting('max_threads')), getSetting('max_result_rows')"
        before = client.execute(ask)
        assert client.execute(ask, settings={"max_threads": 3, "max_result_rows": 11}) == [("3", 11)]
        assert client.execute(ask) == before
        client.execute("SELECT 1", settings={"readonly": 1})
        client.execute("SET max_threads = 5")
        assert client.execute(ask, settings={"max_threads": 4})[0][0] == "4"
        assert client.execute(ask)[0][0] == "5"
        with clickhouse.client() as other:
            assert other.execute(ask) == before


def test_an_unknown_setting_is_ignored_unless_it_is_important(database: Database) -> None:
    database.execute("CREATE TABLE t (a UInt8) ENGINE = Memory")
    unknown = {"max_thread_count": 3, "max_threads": 2}
    assert database.execute("SELECT toString(getSetting('max_threads'))", settings=unknown) == [("2",)]
    database.execute("INSERT INTO t VALUES", [(1,)], settings=unknown)
    with database.client(settings_is_important=True) as client:
        for statement in (("SELECT 1",), ("INSERT INTO t VALUES", [(2,)])):
            with pytest.raises(errors.ServerException) as refused:
                client.execute(*statement, settings=unknown)
            assert refused.value.code == errors.ErrorCodes.UNKNOWN_SETTING
        assert client.execute("SELECT a FROM t", settings={"max_threads": 1}) == [(1,)]


@pytest.mark.parametrize(
    ("statement", "settings", "code"),
    [
        ("SELECT * FROM missing", {}, 60),
        ("SELECT * FROM missing.missing", {}, 81),
        ("SELEC 1", {}, 62),
        ("1", {}, 62),
        ("SELECT 1; SELECT 2", {}, 62),
        ("SELECT missing", {}, 47),
        ("SELECT missing(1)", {}, 46),
        ("SELECT toUInt8('x')", {}, 6),
        ("SELECT 1 + 'x'", {}, 43),
        ("SELECT number FROM numbers(100)", {"max_result_rows": 3, "result_overflow_mode": "throw"}, 396),
        ("SELECT count() FROM numbers(10000000000) WHERE sipHash64(number) = 1", {"max_execution_time": 1}, 159),
        ("SELECT throwIf(number = 300000) FROM numbers(1000000)", {"max_block_size": 1000}, 395),
        ("DROP TABLE missing", {}, 60),
        ("CREATE TABLE t (a UInt8) ENGINE = Missing", {}, 56),
        ("SELECT 1", {"max_threads": "many"}, 27),
    ],
)
def test_errors_have_clickhouses_codes(database: Database, statement: str, settings: dict[str, Any], code: int) -> None:
    with database.client() as client:
        with pytest.raises(errors.ServerException) as refused:
            client.execute(statement, settings=settings)
        assert refused.value.code == code
        assert refused.value.message.startswith("DB::Exception: ")
        assert client.execute("SELECT 1") == [(1,)]


def test_an_error_may_quote_bytes_that_are_not_text(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        with pytest.raises(errors.ServerException) as refused:
            client.execute("SELECT toUInt8(materialize('\\xff\\xfe'))")
        assert refused.value.code == 6


def test_an_error_after_the_first_blocks_ends_the_result(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        rows = client.execute_iter(
            "SELECT throwIf(number = 300000), number FROM numbers(1000000)", settings={"max_block_size": 1000}
        )
        with pytest.raises(errors.ServerException):
            list(rows)
        assert client.execute("SELECT 1") == [(1,)]


def test_progress_and_profile_are_told(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        client.execute("SELECT number FROM numbers(1000) WHERE number % 2")
        assert client.last_query.progress.rows == 1000
        assert client.last_query.profile_info.rows == 500
        with_progress = client.execute_with_progress("SELECT sum(number) FROM numbers(100000)")
        assert list(with_progress)[-1][0] == 100_000
        assert with_progress.get_result() == [(4_999_950_000,)]


def test_tables_may_come_with_a_query(clickhouse: Server) -> None:
    tables = [{"name": "given", "structure": [("a", "Int32"), ("b", "String")], "data": [{"a": 1, "b": "x"}]}]
    with clickhouse.client() as client:
        for _ in range(2):
            assert client.execute("SELECT * FROM given", external_tables=tables) == [(1, "x")]
        with pytest.raises(errors.ServerException):
            client.execute("SELECT * FROM given")


def test_the_query_may_have_an_id(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        assert client.execute("SELECT 1", query_id="an id of the client's own") == [(1,)]


def test_pings_are_answered(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        client.execute("SELECT 1")
        assert client.connection.ping()


def test_the_connection_can_be_made_from_an_address(database: Database) -> None:
    server = database.server
    client = Client.from_url(f"clickhouse://default@{server.host}:{server.port}/{database.name}?compression=lz4")
    assert client.execute("SELECT currentDatabase()") == [(database.name,)]
    client.disconnect()


def test_an_unknown_database_is_refused(clickhouse: Server) -> None:
    with clickhouse.client(database="missing") as client, pytest.raises(errors.ServerException) as refused:
        client.execute("SELECT 1")
    assert refused.value.code == errors.ErrorCodes.UNKNOWN_DATABASE
