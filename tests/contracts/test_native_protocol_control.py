"""Several clients at once, clients that cancel, and clients that leave."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clickhouse_driver import Client, errors

from tests.harness.clickhouse import Database, Server
from tests.harness.waiting import until

ENDLESS = [
    "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
    "SELECT sleepEachRow(0.1) FROM numbers(1000) SETTINGS max_block_size = 1",
    "SELECT number FROM numbers(1000000000000)",
]


def _running(server: Server, marker: str) -> int:
    with server.client() as client:
        asked = "SELECT count() FROM system.processes WHERE query LIKE %(mark)s AND query NOT LIKE '%%processes%%'"
        return int(client.execute(asked, {"mark": f"%{marker}%"})[0][0])


def _marked(statement: str, marker: str) -> str:
    return statement.replace("SELECT", f"SELECT /* {marker} */", 1)


@pytest.mark.parametrize("statement", ENDLESS)
def test_a_cancelled_query_ends_soon_and_the_connection_lives(clickhouse: Server, statement: str) -> None:
    marker = f"cancel {time.monotonic_ns()}"
    with clickhouse.client() as client:
        rows = client.execute_iter(_marked(statement, marker))
        until(lambda: _running(clickhouse, marker), 20, "the query to run")
        began = time.monotonic()
        client.connection.send_cancel()
        for _ in rows:
            pass
        assert time.monotonic() - began < 20
        assert client.execute("SELECT 1") == [(1,)]


def test_a_cancel_that_comes_with_the_query_is_seen(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        rows = client.execute_iter(ENDLESS[0])
        client.connection.send_cancel()
        assert list(rows) == []
        client.connection.send_cancel()
        assert client.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize("statement", ENDLESS)
def test_the_query_of_a_client_that_left_is_stopped(clickhouse: Server, statement: str) -> None:
    marker = f"left {time.monotonic_ns()}"
    with clickhouse.client() as client:
        client.execute_iter(_marked(statement, marker))
        until(lambda: _running(clickhouse, marker), 20, "the query to run")
    until(lambda: not _running(clickhouse, marker), 20, "the query to be stopped")


def test_a_slow_query_shows_life(clickhouse: Server) -> None:
    with clickhouse.client(send_receive_timeout=2) as client:
        asked = "SELECT count() FROM (SELECT sleepEachRow(0.5) FROM numbers(7))"
        assert client.execute(asked, settings={"max_block_size": 1}) == [(7,)]


def test_queries_run_in_parallel(clickhouse: Server) -> None:
    def ask(number: int) -> Any:
        with clickhouse.client() as client:
            return client.execute("SELECT sleep(2), %(number)s", {"number": number})

    began = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [[(0, number)] for number in range(6)]
    assert time.monotonic() - began < 8


def test_writers_and_readers_at_once(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (w UInt8, n UInt64, s String) ENGINE = MergeTree ORDER BY (w, n)"
        " SETTINGS non_replicated_deduplication_window = 100"
    )

    def write(writer: int) -> int:
        with database.client(compression="lz4") as client:
            for batch in range(10):
                rows = [(writer, batch * 1000 + row, "x" * (row % 200)) for row in range(1000)]
                token = {"insert_deduplication_token": f"{writer} {batch}"}
                client.execute("INSERT INTO t VALUES", rows, settings=token)
                client.execute("INSERT INTO t VALUES", rows, settings=token)
        return writer

    def read(_: int) -> bool:
        with database.client() as client:
            seen = [client.execute("SELECT count(), uniqExact(w, n) FROM t")[0] for _ in range(20)]
        return seen == sorted(seen) and all(count == distinct for count, distinct in seen)

    with ThreadPoolExecutor(6) as pool:
        written, consistent = pool.map(write, range(3)), pool.map(read, range(3))
        assert list(written) == [0, 1, 2]
        assert all(consistent)
    assert database.execute("SELECT count(), uniqExact(w, n), countIf(length(s) != n % 200) FROM t") == [
        (30_000, 30_000, 0)
    ]


def test_a_wrong_password_is_refused(clickhouse: Server) -> None:
    for options in ({"password": "wrong"}, {"user": "somebody"}):
        with clickhouse.client(**options) as client, pytest.raises(errors.ServerException) as refused:
            client.execute("SELECT 1")
        assert refused.value.code == 516


def test_nonsense_on_the_port_harms_nobody(clickhouse: Server) -> None:
    with clickhouse.client() as client:
        client.execute("SELECT 1")
        client.connection.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((EOFError, OSError, errors.Error)):
            client.connection.receive_packet()
    with clickhouse.client() as client:
        assert client.execute("SELECT 1") == [(1,)]


def test_an_iteration_given_up_breaks_only_its_own_connection(clickhouse: Server) -> None:
    client = Client(clickhouse.host, port=clickhouse.port)
    next(iter(client.execute_iter("SELECT number FROM numbers(10000000)")))
    client.disconnect()
    assert client.execute("SELECT 1") == [(1,)]
    client.disconnect()
