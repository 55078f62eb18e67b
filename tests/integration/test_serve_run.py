"""The process `serve`: says where it listens, survives ClickHouse, stops when told to, keeps silent about people."""

import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.http_server import CannotListen
from pipeline.serve.run import run
from tests.harness.board_data import SECRET
from tests.harness.board_server import Stored, serving, stored
from tests.harness.waiting import until


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored(tmp_path_factory.mktemp("clickhouse")) as made:
        made.world.past(12, 2, int(time.time() * 1000))
        yield made


def status(url: str | urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_stops_within_five_seconds(
    data: Stored, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(data.settings(tmp_path)) as server:
        until(lambda: status(f"{server.url}/readyz") == 200, 20, "ready")
        assert f"board and API: {server.url}\n" in server.said.read_text()
        began = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - began < 5
        assert not (tmp_path / "run" / "serve.json").exists()
        assert "Traceback" not in server.said.read_text()


def test_nothing_that_was_asked_is_logged(data: Stored, tmp_path: Path) -> None:
    with serving(data.settings(tmp_path)) as server:
        for path in (
            "v1/customers/secret@mail.example",
            "v1/customers/email:secret",
            "v1/secret",
            "secret",
            "customer/secret",
        ):
            status(f"{server.url}/{path}")
            for method in ("HEAD", "POST", "DELETE", "PATCH"):
                asked = urllib.request.Request(f"{server.url}/{path}", method=method)
                expected = 404 if path == "secret" else 405
                assert status(asked) == expected, (method, path)
        assert server.stop() == 0
        assert "secret" not in server.said.read_text()


def test_it_leaves_no_files_where_it_was_started(data: Stored, tmp_path: Path) -> None:
    with serving(data.settings(tmp_path)) as server:
        status(f"{server.url}/")
        assert server.stop() == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"said.log", "run"}


def test_clickhouse_may_go_and_come(data: Stored, tmp_path: Path) -> None:
    with serving(data.settings(tmp_path)) as server:
        until(lambda: status(f"{server.url}/readyz") == 200, 20, "ready")
        # The endpoints of a server that is started again differ, so the noted address is what counts.
        assert status(f"{server.url}/v1/scores") == 200
        port = data.server.port
        data.server.stop()
        assert status(f"{server.url}/v1/scores") == 503
        until(lambda: status(f"{server.url}/readyz") == 503, 40, "not ready any more")
        assert status(f"{server.url}/healthz") == 200
        data.server.start()
        if data.server.port == port:
            until(lambda: status(f"{server.url}/readyz") == 200, 30, "ready again")
            assert status(f"{server.url}/v1/scores") == 200
        assert server.stop() == 0


def test_a_taken_port_is_one_clear_fault(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        values: dict[str, Any] = {"home": tmp_path, "serve_port": port, "secret": SECRET}
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            run(Settings(**values))
