"""Statements are told apart by their tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded.clickhouse_statements import Kind, Statement, parse


@pytest.mark.parametrize(
    ("sql", "head", "target", "columns", "settings"),
    [
        ("INSERT INTO t VALUES", "INSERT INTO t", "t", "", ""),
        ("insert into d.`e v` (a, `b)`) values ;", "insert into d.`e v` (a, `b)`)", "d.`e v`", "a, `b)`", ""),
        ("INSERT INTO t(a)SETTINGS x = '1' VALUES", "INSERT INTO t(a)", "t", "a", "SETTINGS x = '1'"),
        ("INSERT INTO t FORMAT Native", "INSERT INTO t", "t", "", ""),
        ("INSERT INTO t (a) VALUES -- rows\n/* follow */", "INSERT INTO t (a)", "t", "a", ""),
        (
            "INSERT INTO FUNCTION f('x', 1) (a) VALUES",
            "INSERT INTO FUNCTION f('x', 1) (a)",
            "FUNCTION f('x', 1)",
            "a",
            "",
        ),
        ("INSERT INTO values (format) VALUES", "INSERT INTO values (format)", "values", "format", ""),
    ],
)
def test_inserts_whose_rows_follow(sql: str, head: str, target: str, columns: str, settings: str) -> None:
    parts = (part.encode() for part in (head, target, columns, settings))
    assert parse(sql.encode()) == Statement(Kind.INSERT_BLOCKS, *parts)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t (a) SELECT 1",
        "INSERT INTO t WITH 1 AS x SELECT x",
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t FORMAT CSV 1,2",
        "INSERT INTO",
        "CREATE TABLE t (a UInt8) ENGINE = Memory",
        "",
        "nonsense '",
    ],
)
def test_statements_that_the_engine_runs_as_they_are(sql: str) -> None:
    assert parse(sql.encode()) == Statement(Kind.OTHER, sql.encode())


@pytest.mark.parametrize(
    ("sql", "kind", "left"),
    [
        ("SELECT 1", Kind.SELECT, "SELECT 1"),
        ("(SELECT 1) UNION ALL (SELECT 2) ;", Kind.SELECT, "(SELECT 1) UNION ALL (SELECT 2)"),
        ("/* a */ WITH 1 AS x SELECT x -- b", Kind.SELECT, "/* a */ WITH 1 AS x SELECT x"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT JSON;", Kind.SELECT, "SELECT 1 SETTINGS max_threads = 1"),
        ("SELECT t.format f", Kind.SELECT, "SELECT t.format f"),
        ("SELECT 'FORMAT JSON'", Kind.SELECT, "SELECT 'FORMAT JSON'"),
        ("SET a = 1;", Kind.SET, "SET a = 1"),
        ("use d", Kind.USE, "use d"),
        ("SHOW TABLES FORMAT TSV", Kind.OTHER, "SHOW TABLES"),
    ],
)
def test_kinds(sql: str, kind: Kind, left: str) -> None:
    assert parse(sql.encode()) == Statement(kind, left.encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_some_statement(sql: bytes) -> None:
    parse(sql)
    parse(b"INSERT INTO " + sql)
