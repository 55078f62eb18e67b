"""A whole touchstream on a home of its own, driven as a user drives it: by commands. For tests."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
import pytest

from pipeline import endpoints, supervisor
from pipeline.config import PREFIX, Settings
from sinks.clickhouse import ClickHouse
from tests.harness.waiting import until

TOUCHSTREAM: Final = str(Path(sys.executable).with_name("touchstream"))
COMMAND_TIMEOUT_S: Final = 150.0
START_TIMEOUT_S: Final = 90.0
STAGES: Final = ("resolve", "journey", "sink")
Done = subprocess.CompletedProcess[str]


@dataclass(slots=True)
class Installation:
    """One home. `settings` are settings that every command gets, by name, as environment variables."""

    home: Path
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What commands of this installation find in their environment; nothing of the tester's own settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ours = {PREFIX + name.upper(): value for name, value in self.overrides.items()}
        return {**inherited, "TERM": "dumb", PREFIX + "HOME": str(self.home), **ours}

    @property
    def settings(self) -> Settings:
        """The same settings for code in this process."""
        return Settings(home=self.home, **self.overrides)  # type: ignore[arg-type]

    def run(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S, **settings: str) -> Done:
        """Run a command to its end, whatever that is."""
        environment = self.environment | {PREFIX + name.upper(): value for name, value in settings.items()}
        return subprocess.run(
            [TOUCHSTREAM, *arguments],
            env=environment,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def begin(self, *arguments: str, log: Path | None = None, **settings: str) -> "subprocess.Popen[str]":
        """Start a command and leave it running; what it says goes to `log`."""
        environment = self.environment | {PREFIX + name.upper(): value for name, value in settings.items()}
        with (log or self.home.parent / f"{arguments[-1]}.out").open("a") as out:
            return subprocess.Popen(
                [TOUCHSTREAM, *arguments],
                env=environment,
                cwd=self.home.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def told(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
        """The JSON that a command prints; it must end well."""
        done = self.run(*arguments, "--json", timeout_s=timeout_s)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}{done.stdout[-2000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    def up(self) -> "Installation":
        """Start everything in the background."""
        self.home.mkdir(parents=True, exist_ok=True)
        done = self.run("up", "--detach", timeout_s=START_TIMEOUT_S * 2)
        assert done.returncode == 0, f"{done.stderr}\n{self.log()[-3000:]}"
        return self

    def down(self) -> None:
        """Stop everything; every process must be gone afterwards."""
        left = self.processes()
        done = self.run("down")
        assert done.returncode == 0, done.stderr
        until(lambda: not any(map(alive, left)), 10, "all processes have ended")

    def end(self) -> None:
        """Whatever still runs here ends, by force where it must."""
        if not self.home.exists():
            return
        left = self.processes()
        if supervisor.status(self.settings) is not None:
            self.run("down")
        for process in left:
            if alive(process):
                process.kill()

    def supervised(self) -> dict[str, dict[str, Any]]:
        """What the supervisor says of its processes, by name."""
        running = supervisor.status(self.settings) or {"processes": []}
        return {one["name"]: one for one in running["processes"]}

    def supervisor_pid(self) -> int:
        """The supervisor's process id."""
        running = supervisor.status(self.settings)
        assert running, "no supervisor runs here"
        return int(running["pid"])

    def pid(self, name: str) -> int:
        """The process id of a supervised process that is ready."""
        one = until(lambda: self.ready(name), START_TIMEOUT_S, f"{name} is ready")
        return int((one or {})["pid"])

    def ready(self, name: str) -> dict[str, Any] | None:
        """What the supervisor says of a process, once that is ready."""
        one = self.supervised().get(name)
        return one if one and one["state"] == "ready" else None

    def java(self) -> "psutil.Process":
        """Kafka's own process, the child of the one that the supervisor knows."""
        return until(lambda: psutil.Process(self.pid("kafka")).children(), 30, "Java runs")[0]

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a supervised process that is ready; its id. One that is killed has been missed on return."""
        pid = self.pid(name)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            until(lambda: self.supervised()[name]["pid"] != pid, 10, f"the death of {name} is noticed")
        return pid

    def restarted(self, name: str, before: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until a process that had the id `before` is ready again as another one."""
        until(lambda: (one := self.ready(name)) is not None and one["pid"] != before, timeout_s, f"{name} is back")

    def processes(self) -> list["psutil.Process"]:
        """The supervisor and everything below it."""
        running = supervisor.status(self.settings)
        if not running or not running["pid"]:
            return []
        try:
            top = psutil.Process(running["pid"])
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def log(self) -> str:
        """What all processes have said so far."""
        path = self.home / "touchstream.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def bootstrap(self) -> str:
        """Kafka's host:port."""
        return endpoints.kafka(self.settings)

    def clickhouse(self) -> tuple[str, int]:
        """ClickHouse's host and port."""
        return endpoints.clickhouse(self.settings)

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows from ClickHouse."""
        database = ClickHouse(self.settings)
        try:
            return database.query(sql, parameters)
        finally:
            database.close()

    def number(self, sql: str) -> int:
        """The one number that a query answers."""
        return int(self.query(sql)[0][0])

    def wait_idle(self, timeout_s: float = 120.0) -> None:
        """Until everything produced so far can be queried."""
        self.told("wait", "--idle", "--timeout", f"{timeout_s:g}", timeout_s=timeout_s + 30)


def alive(process: "psutil.Process") -> bool:
    """Whether a process still runs; one that waits to be buried does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass(slots=True)
class Maker:
    """Makes installations, none of them started yet, and ends them all."""

    folders: pytest.TempPathFactory
    made: list[Installation] = field(default_factory=list)

    def __call__(self, **settings: str) -> Installation:
        """A new one on a new home; `settings` by name, as in a settings file."""
        installation = Installation(self.folders.mktemp("installation") / "home", settings)
        self.made.append(installation)
        return installation

    def end(self) -> None:
        """End them all."""
        for installation in self.made:
            installation.end()
