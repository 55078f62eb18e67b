"""A whole pipeline whose every process and every line between two of them a test can break."""

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.embedded.ports import pick
from pipeline import ready, supervisor
from pipeline.config import PREFIX, Settings
from sinks.clickhouse import ClickHouse
from tests.harness.broker import Door
from tests.harness.keeper import Keeper, Kept
from tests.harness.proxy import Proxy
from tests.harness.sender import Order, Sent
from tests.harness.waiting import until

ROOT: Final = Path(__file__).parents[2]
STAGES: Final = ("resolve", "journey", "sink")
SECRET: Final = "the secret of an installation under test"
START_S: Final = 90.0
SESSION_TIMEOUT_S: Final = "3"
PARTITIONS: Final = 4


@dataclass(slots=True)
class Rig:
    """Kafka, ClickHouse, one process of each stage, and a proxy on each line: `resolve`, `journey`, `sink` to Kafka, and
    `clickhouse` from the sink. A context manager."""

    folder: Path
    heap_mb: int = 512
    keeper: Keeper = field(default_factory=Keeper)
    lines: dict[str, Proxy] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)
    _numbers: int = 0

    def __enter__(self) -> "Rig":
        try:
            self._servers()
            for stage in STAGES:
                self.start(stage)
            for stage in STAGES:
                self.wait_ready(stage)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process and every proxy."""
        self.keeper.close()
        for line in self.lines.values():
            line.__exit__()

    @property
    def settings(self) -> Settings:
        """The settings for code in this process: straight to the servers, past every proxy."""
        values: dict[str, Any] = {"kafka_bootstrap": self.bootstrap, "clickhouse_address": self.database}
        return Settings(home=self.folder / "home", secret=SECRET, **values, **self.overrides)  # type: ignore[arg-type]

    @property
    def bootstrap(self) -> str:
        """Kafka itself."""
        return f"127.0.0.1:{self._ports['kafka']}"

    @property
    def database(self) -> str:
        """ClickHouse itself."""
        return f"127.0.0.1:{self._ports['clickhouse']}"

    def _servers(self) -> None:
        taken: set[int] = set()
        for name in ("kafka", "clickhouse", *STAGES):
            self._ports[name] = pick(0, avoid=frozenset(taken))
            taken.add(self._ports[name])
        for stage in STAGES:
            self.lines[stage] = Proxy(self._ports[stage]).__enter__()
        self.lines["clickhouse"] = Proxy(self._ports["clickhouse"]).__enter__()
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        doors = [Door(stage.upper(), self._ports[stage], self.lines[stage].port) for stage in STAGES]
        broker = ["-m", "tests.harness.broker", "--home", str(home), "--port", str(self._ports["kafka"])]
        broker += ["--heap-mb", str(self.heap_mb), *(f"--door={door}" for door in doors)]
        self._keep("kafka", broker, {})
        database = ["-m", "deploy.embedded.clickhouse", "--home", str(home), "--port", str(self._ports["clickhouse"])]
        self._keep("clickhouse", database, {})
        until(self._prepared, START_S, f"Kafka and ClickHouse answer (see {self.folder})")

    def _prepared(self) -> bool:
        if not (self.folder / "home" / "ready").exists():
            return False
        try:
            supervisor.prepare(self.settings)
        except (supervisor.topics_admin.TopicsError, supervisor.Unavailable):
            return False
        return True

    def _keep(self, name: str, arguments: list[str], more: dict[str, str], first: dict[str, str] | None = None) -> Kept:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        environment = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "dumb", **more}
        log = self.folder / f"{name}.log"
        return self.keeper.add(Kept(name, [sys.executable, *arguments], environment, log, first or {}))

    def start(self, stage: str, name: str = "", first: dict[str, str] | None = None) -> str:
        """Start a process of a stage, once more if there is one already; its name. `first` holds in its first life only."""
        if not name:
            self._numbers += stage in self.keeper.kept
            name = f"{stage}-{self._numbers}" if stage in self.keeper.kept else stage
        settings = {
            "home": str(self._home(name)),
            "kafka_bootstrap": self.lines[stage].address,
            "clickhouse_address": self.lines["clickhouse"].address,
            "secret": SECRET,
            "session_timeout_s": SESSION_TIMEOUT_S,
            **self.overrides,
        }
        self._home(name).mkdir(parents=True, exist_ok=True)
        more = {PREFIX + key.upper(): value for key, value in settings.items()}
        ready.forget(self._settings_of(name), stage)
        self._keep(name, ["-m", "pipeline.cli.main", "run", stage], more, first)
        return name

    def _home(self, name: str) -> Path:
        return self.folder / f"home-{name}"

    def _settings_of(self, name: str) -> Settings:
        return Settings(home=self._home(name))

    def is_ready(self, name: str) -> bool:
        """Whether a process of a stage has had partitions since it was begun here."""
        return ready.heard(self._settings_of(name), name.partition("-")[0]) is not None

    def wait_ready(self, name: str) -> None:
        """Wait until a process of a stage has partitions."""
        until(lambda: self.is_ready(name), START_S, f"{name} is ready (see {self.folder}/{name}.log)")

    def hold(self, name: str) -> None:
        """Kill a process with its children and keep it away until `release`."""
        kept = self.keeper.kept[name]
        kept.wanted = False
        self.kill(name)

    def release(self, name: str) -> None:
        """Let it come back."""
        self.keeper.kept[name].wanted = True

    def kill(self, name: str) -> int | None:
        """kill -9, for Kafka of Java itself; the id of the process."""
        kept = self.keeper.kept.get(name)
        if kept is None:
            return None
        for process in self.keeper.processes().get(name, [])[:0:-1]:
            process.kill()
        return kept.signal(9)

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows from ClickHouse. Raises Unavailable."""
        database = ClickHouse(self.settings)
        try:
            return database.query(sql, parameters)
        finally:
            database.close()

    def stored(self) -> int:
        """Rows of touchpoints, repeated ones too."""
        return int(self.query("SELECT count() FROM touchpoints")[0][0])


@dataclass(slots=True)
class Sending:
    """A load on its way: in a process of its own, which outlives what happens to the broker."""

    rig: Rig
    seed: int
    events: int
    rate: float
    _report: Path = Path()
    _kept: Kept | None = None

    def begin(self) -> "Sending":
        """Start sending."""
        folder = self.rig.folder
        self._report = folder / f"sent-{self.seed}.json"
        paths = (str(folder / "home"), self.rig.bootstrap, SECRET)
        order = Order(*paths, self.seed, self.events, self.rate, str(self._report))
        written = folder / f"order-{self.seed}.json"
        written.write_bytes(msgspec.json.encode(order))
        self._kept = self.rig._keep(f"sender-{self.seed}", ["-m", "tests.harness.sender", str(written)], {})
        until(lambda: self._kept is not None and self._kept.lives, 10, "the sender has begun")
        self._kept.wanted = False
        return self

    @property
    def sent(self) -> int:
        """About how many records have been sent."""
        progress = self._report.with_suffix(".progress")
        try:
            return int(progress.read_text() or 0)
        except (FileNotFoundError, ValueError):
            return 0

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._report.exists() or (self._kept is not None and bool(self._kept.ends))

    def end(self, timeout_s: float) -> Sent:
        """Wait for its end; every record must be acknowledged."""
        until(lambda: self.done, timeout_s, f"everything is sent (see {self.rig.folder}/sender-{self.seed}.log)")
        assert self._report.exists(), (self.rig.folder / f"sender-{self.seed}.log").read_text()[-2000:]
        sent = msgspec.json.decode(self._report.read_bytes(), type=Sent)
        assert sent.sent == sent.acknowledged == self.events, sent
        return sent
