"""The embedded server as a process: starts, ends, crashes, what it keeps and what it needs."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from clickhouse_driver import errors

from deploy.embedded.clickhouse import ClickHouseOptions, EmbeddedClickHouse, EmbeddedClickHouseError
from deploy.embedded.clickhouse_merges import NICE, merging_threads
from tests.harness.clickhouse import Server
from tests.harness.waiting import until

TABLE = (
    "CREATE TABLE kept.t (w UInt8, n UInt64, s String) ENGINE = MergeTree ORDER BY (w, n)"
    " SETTINGS non_replicated_deduplication_window = 1000"
)
BATCH = 2_000


@pytest.fixture
def options(tmp_path: Path) -> ClickHouseOptions:
    """A home of the test's own."""
    return ClickHouseOptions(tmp_path)


@pytest.fixture
def running(options: ClickHouseOptions) -> Iterator[EmbeddedClickHouse]:
    """A server with an empty table `kept.t`."""
    with EmbeddedClickHouse(options) as server:
        with Server.at(server.address).client() as client:
            client.execute("CREATE DATABASE kept")
            client.execute(TABLE)
        yield server


class Writer:
    """Inserts numbered batches until the server goes, and counts those that were acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        self.acknowledged = 0
        self._server = server
        self._number = number
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def rows(self, batch: int) -> list[tuple[int, int, str]]:
        """The rows of one batch."""
        return [(self._number, batch * BATCH + row, "x" * (row % 50)) for row in range(BATCH)]

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _write(self) -> None:
        with suppress(errors.Error, EOFError, OSError), self._server.client(compression="lz4") as client:
            while True:
                token = {"insert_deduplication_token": f"{self._number} {self.acknowledged}"}
                client.execute("INSERT INTO kept.t VALUES", self.rows(self.acknowledged), settings=token)
                self.acknowledged += 1


def _write_until(server: EmbeddedClickHouse, batches: int) -> list[Writer]:
    writers = [Writer(Server.at(server.address), number) for number in range(2)]
    until(lambda: all(writer.acknowledged >= batches for writer in writers), 30, f"{batches} batches each")
    return writers


def _check_acknowledged(server: EmbeddedClickHouse, writers: list[Writer]) -> None:
    """Every acknowledged batch is there once; repeating the unacknowledged one makes it be there once, too."""
    with Server.at(server.address).client() as client:
        for number, writer in enumerate(writers):
            asked = f"SELECT uniqExact(n), count() FROM kept.t WHERE w = {number} AND n < {writer.acknowledged * BATCH}"
            assert client.execute(asked) == [(writer.acknowledged * BATCH,) * 2]
            token = {"insert_deduplication_token": f"{number} {writer.acknowledged}"}
            client.execute("INSERT INTO kept.t VALUES", writer.rows(writer.acknowledged), settings=token)
            asked = f"SELECT uniqExact(n), count() FROM kept.t WHERE w = {number}"
            assert client.execute(asked) == [((writer.acknowledged + 1) * BATCH,) * 2]


def test_a_crash_keeps_every_acknowledged_insert(running: EmbeddedClickHouse, options: ClickHouseOptions) -> None:
    writers = _write_until(running, 5)
    running.kill()
    for writer in writers:
        writer.join()
    with EmbeddedClickHouse(options) as again:
        _check_acknowledged(again, writers)


def test_a_clean_end_under_load_loses_nothing(running: EmbeddedClickHouse, options: ClickHouseOptions) -> None:
    writers = _write_until(running, 5)
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 10
    for writer in writers:
        writer.join()
    with EmbeddedClickHouse(options) as again:
        _check_acknowledged(again, writers)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
        "SELECT number, sleepEachRow(0.01) FROM numbers(100000)",
        "INSERT INTO kept.t SELECT 1, number, '' FROM numbers(100000000000)",
    ],
)
def test_a_clean_end_does_not_wait_for_queries_and_no_client_takes_part_for_all(
    running: EmbeddedClickHouse, statement: str
) -> None:
    with Server.at(running.address).client(settings={"max_block_size": 100}) as client:
        rows = client.execute_iter(statement)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 10
        with pytest.raises((errors.Error, EOFError, OSError)):
            list(rows)


def test_the_port_is_the_same_after_a_restart(options: ClickHouseOptions) -> None:
    with EmbeddedClickHouse(options) as first:
        address = first.address
    with EmbeddedClickHouse(options) as second:
        assert second.address == address
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))), EmbeddedClickHouse(options) as third:
        assert third.address != address


def test_a_given_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedClickHouseError, match=rf"port {port} is taken.*TOUCHSTREAM_CLICKHOUSE_PORT"):
            EmbeddedClickHouse(ClickHouseOptions(tmp_path, port=port)).start()


def test_one_home_has_one_server(running: EmbeddedClickHouse, options: ClickHouseOptions) -> None:
    with pytest.raises(EmbeddedClickHouseError, match="runs already"):
        EmbeddedClickHouse(options).start()
    assert running.alive


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EmbeddedClickHouseError, match="cannot write"):
        EmbeddedClickHouse(ClickHouseOptions(tmp_path / "file")).start()


def test_a_password_is_asked_for_when_there_is_one(tmp_path: Path) -> None:
    with EmbeddedClickHouse(ClickHouseOptions(tmp_path, password="a secret, ü")) as running:
        server = Server.at(running.address)
        with server.client(password="a secret, ü") as client:
            assert client.execute("SELECT 1") == [(1,)]
        with server.client() as client, pytest.raises(errors.ServerException) as refused:
            client.execute("SELECT 1")
        assert refused.value.code == 516
        assert not any("secret" in word for word in psutil.Process(running.pid).cmdline())


def test_it_listens_on_this_machine_only(running: EmbeddedClickHouse) -> None:
    listening = [found for found in psutil.Process(running.pid).net_connections() if found.status == "LISTEN"]
    assert [found.laddr.ip for found in listening] == ["127.0.0.1"]


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from deploy.embedded.clickhouse import ClickHouseOptions, EmbeddedClickHouse\n"
        "server = EmbeddedClickHouse(ClickHouseOptions(Path(sys.argv[1]))); server.start()\n"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not psutil.pid_exists(pid), 10, "the orphan to end")


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.embedded.clickhouse", "--home", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        with Server.at(process.stdout.readline().decode().strip()).client() as client:
            assert client.execute("SELECT 1") == [(1,)]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == os.EX_OK


def test_a_big_result_takes_little_memory(running: EmbeddedClickHouse) -> None:
    process = psutil.Process(running.pid)
    with Server.at(running.address).client() as client:
        before = most = process.memory_info().rss
        rows = client.execute_iter(
            "SELECT repeat('x', 1000) FROM numbers(1000000)", settings={"max_block_size": 10_000}
        )
        for number, _ in enumerate(rows):
            if number % 50_000 == 0:
                most = max(most, process.memory_info().rss)
    assert most - before < 400 << 20


def test_clients_that_come_and_go_leave_nothing_behind(running: EmbeddedClickHouse) -> None:
    process = psutil.Process(running.pid)
    server = Server.at(running.address)

    def visit(times: int) -> None:
        for number in range(times):
            with server.client() as client:
                client.execute("INSERT INTO kept.t VALUES", [(9, number, "x")])
                client.execute("SELECT count() FROM kept.t")

    def settled() -> tuple[int, int]:
        until(lambda: not _clients(process), 5, "the clients' sockets to close")
        return process.num_fds(), process.memory_info().rss

    visit(100)
    files, memory = settled()
    visit(100)
    files_later, memory_later = settled()
    assert files_later - files < 30
    assert memory_later - memory < 60 << 20


def _clients(process: psutil.Process) -> list[object]:
    return [found for found in process.net_connections() if found.status == "ESTABLISHED"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no share of their own elsewhere")
def test_merging_yields_to_whoever_waits(running: EmbeddedClickHouse) -> None:
    """Every thread that merges, from the first client on that comes when there is a table."""
    with Server.at(running.address).client() as client:
        client.execute("INSERT INTO kept.t VALUES", [(1, 1, "x")])
    threads = merging_threads(Path(f"/proc/{running.pid}/task"))
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {NICE}
