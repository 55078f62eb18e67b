"""A whole pipeline whose every process and every line between two of them a test can break."""

import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from deploy.embedded.ports import pick
from pipeline import ready, supervisor
from pipeline.config import PREFIX, Settings
from pipeline.topics_admin import TopicsError
from sinks.clickhouse import ClickHouse, Unavailable
from tests.harness.broker import Door
from tests.harness.keeper import Keeper, Kept
from tests.harness.proxy import Proxy
from tests.harness.waiting import until

# While the broker is away, aiokafka complains many times a second.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
ROOT: Final = Path(__file__).parents[2]
STAGES: Final = ("resolve", "journey", "sink")
SECRET: Final = "the secret of an installation under test"
START_S: Final = 90.0
SESSION_TIMEOUT_S: Final = "3"


Act = Callable[[], None]


def _nothing() -> None:
    """What most processes need before a start."""


class _Given(Settings):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_of(**values: Any) -> Settings:
    """Settings by name; the rest are defaults, whatever the tester's own environment says."""
    return _Given(**values)


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
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))

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
        return settings_of(
            home=self.folder / "home",
            secret=SECRET,
            kafka_bootstrap=self.bootstrap,
            clickhouse_address=self.database,
            **self.overrides,
        )

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
        self.keep("kafka", broker, {})
        database = ["-m", "deploy.embedded.clickhouse", "--home", str(home), "--port", str(self._ports["clickhouse"])]
        self.keep("clickhouse", database, {})
        until(self._prepared, START_S, f"Kafka and ClickHouse answer (see {self.folder})")

    def _prepared(self) -> bool:
        if not (self.folder / "home" / "ready").exists():
            return False
        try:
            supervisor.prepare(self.settings)
        except (TopicsError, Unavailable):
            return False
        return True

    def keep(self, name: str, arguments: list[str], more: dict[str, str], first: Act = _nothing) -> Kept:
        """Start `python *arguments` with `more` in its environment, and keep it running; `first` is called before each start."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        environment = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "dumb", **more}
        log = self.folder / f"{name}.log"
        return self.keeper.add(Kept(name, [sys.executable, *arguments], environment, log, first))

    def start(self, stage: str) -> str:
        """Start a process of a stage, once more if there is one already; its name."""
        name = f"{stage}-{next(self._numbers)}" if stage in self.keeper.kept else stage
        settings = {
            "home": str(self._home(name)),
            "kafka_bootstrap": self.lines[stage].address,
            "clickhouse_address": self.lines["clickhouse"].address,
            "secret": SECRET,
            "session_timeout_s": SESSION_TIMEOUT_S,
            # The first one is a member by name, as under the supervisor; those that join are not, as when begun by hand.
            "instance": "the-first" if name == stage else "",
            **self.overrides,
        }
        self._home(name).mkdir(parents=True, exist_ok=True)
        more = {PREFIX + key.upper(): value for key, value in settings.items()}
        self.keep(name, ["-m", "pipeline.cli.main", "run", stage], more, lambda: self._forget(name))
        return name

    def _home(self, name: str) -> Path:
        return self.folder / f"home-{name}"

    def _settings_of(self, name: str) -> Settings:
        return settings_of(home=self._home(name))

    def _forget(self, name: str) -> None:
        ready.forget(self._settings_of(name), name.partition("-")[0])

    def is_ready(self, name: str) -> bool:
        """Whether a process of a stage has had partitions in its present life."""
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
