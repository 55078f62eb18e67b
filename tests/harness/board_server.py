"""What tests of the board and the API run against: an embedded ClickHouse with made-up customers, and the process itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clickhouse_driver import Client

from deploy.embedded.clickhouse import ClickHouseOptions, EmbeddedClickHouse
from pipeline.config import Settings
from tests.harness.board_data import SECRET, World, create_tables
from tests.harness.waiting import until

DATABASE = "touchstream"


@dataclass(frozen=True, slots=True)
class Stored:
    """A ClickHouse with the pipeline's tables; `server` can be stopped and started again."""

    server: EmbeddedClickHouse
    world: World

    def settings(self, home: Path, **more: Any) -> Settings:
        """Settings that point at it."""
        values: dict[str, Any] = {"home": home, "clickhouse_address": self.server.address, "secret": SECRET}
        return Settings(**values | more)


@contextmanager
def stored(home: Path) -> Iterator[Stored]:
    """An embedded ClickHouse with empty tables."""
    with EmbeddedClickHouse(ClickHouseOptions(home=home)) as server:
        first = Client("127.0.0.1", port=server.port)
        first.execute(f"CREATE DATABASE {DATABASE}")
        first.disconnect()
        client = Client("127.0.0.1", port=server.port, database=DATABASE)
        create_tables(client)
        yield Stored(server, World(client))
        client.disconnect()


@dataclass(frozen=True, slots=True)
class Serving:
    """A running `serve` process: where it listens, and what it has said so far."""

    url: str
    process: subprocess.Popen[bytes]
    said: Path

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def serving(settings: Settings) -> Iterator[Serving]:
    """The process `serve` with these settings, once it listens."""
    given = {
        "TOUCHSTREAM_HOME": str(settings.home),
        "TOUCHSTREAM_CLICKHOUSE_ADDRESS": settings.clickhouse_address,
        "TOUCHSTREAM_SECRET": settings.secret.get_secret_value(),
        "TOUCHSTREAM_SERVE_PORT": str(settings.serve_port),
    }
    program = (
        "import logging; logging.basicConfig(level=logging.DEBUG); logging.getLogger('httpcore').setLevel(30)\n"
        "from pipeline import config\nfrom pipeline.serve.run import run\nrun(config.load())"
    )
    settings.home.mkdir(parents=True, exist_ok=True)
    said, note = settings.home / "said.log", settings.home / "run" / "serve.json"
    with said.open("wb") as log:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        command = [sys.executable, "-c", program]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**inherited, **given}, cwd=settings.home)
    try:
        until(lambda: note.exists() or process.poll() is not None, 30, "the server listens")
        assert process.poll() is None, said.read_text()[-2000:]
        yield Serving(json.loads(note.read_text())["url"], process, said)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
