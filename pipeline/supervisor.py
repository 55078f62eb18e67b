"""Keeps all processes of one home running: starts them in order, restarts what ends, merges their logs, stops them in order."""

import fcntl
import hashlib
import json
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any, Final

from deploy.embedded.files import write_atomically
from deploy.embedded.stopping import Stopping, stopped_by_signals
from pipeline import endpoints, ready, targets, topics_admin
from pipeline.child import Child
from pipeline.config import Settings
from pipeline.endpoints import Endpoints
from pipeline.topics_admin import Difference
from sinks import migrations
from sinks.clickhouse import ClickHouse, Refused, Unavailable

STAGES: Final = ("resolve", "journey", "sink", "serve", "intake", "watch")
TICK_S: Final = 0.1
LOCK_TRIES: Final = 3
STOP_TIMEOUT_S: Final = 15.0
SERVER_STOP_TIMEOUT_S: Final = 30.0
LOG_BYTES: Final = 20 << 20


class AlreadyRunning(Exception):
    """Another supervisor has this home."""


class StartFailed(Exception):
    """A process cannot be started, and another try would not help."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a supervisor keeps what it knows, under `home`."""

    home: Path

    @property
    def lock(self) -> Path:
        """Held while a supervisor runs."""
        return self.home / "run" / "supervisor.lock"

    @property
    def status(self) -> Path:
        """Which processes there are and how they fare."""
        return self.home / "run" / "status.json"

    @property
    def log(self) -> Path:
        """What all processes have said."""
        return self.home / "touchstream.log"


class Supervisor:
    """All processes of one home. `echo` gets every line of the merged log, for a terminal."""

    def __init__(self, settings: Settings, echo: Callable[[str], None] | None = None) -> None:
        self._settings = settings
        self._files = Files(settings.home.absolute())
        self._files.lock.parent.mkdir(parents=True, exist_ok=True)
        self._echo = echo
        self._stop = Stopping()
        self._log = _merged_log(self._files.log)
        servers = [] if settings.kafka_bootstrap else ["kafka"]
        servers += [] if settings.clickhouse_address else ["clickhouse"]
        self._servers = [self._child(name) for name in servers]
        probing = ["probe"] if settings.probe_interval_s else []
        self._stages = [self._child(name) for name in (*STAGES, *probing)]
        self._told = ""

    def run(self, on_ready: Callable[[Endpoints], None] = lambda _: None) -> None:
        """Until SIGTERM, SIGINT or `stop`; then everything is stopped in order. `on_ready` is called once all are ready.

        Raises AlreadyRunning, StartFailed.
        """
        with self._lock(), stopped_by_signals(self._stop):
            try:
                if self._start():
                    on_ready(endpoints.known(self._settings))
                while not self._stop.wait(TICK_S):
                    self._tick()
            finally:
                self._stop_all()

    def stop(self) -> None:
        """Make `run` stop everything and return."""
        self._stop.set()

    def _child(self, name: str) -> Child:
        instance = self._settings.instance or _instance(self._files.home)
        command = [sys.executable, "-m", "pipeline.cli.main", "run", name]
        return Child(name, command, self._say, {"TOUCHSTREAM_INSTANCE": instance})

    def _say(self, line: str) -> None:
        self._log.info(line)
        if self._echo:
            self._echo(line)

    def _lock(self) -> IO[str]:
        lock = self._files.lock.open("w")
        for _ in range(LOCK_TRIES):  # a `status` holds it for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(TICK_S)
            else:
                return lock
        lock.close()
        raise AlreadyRunning(
            f"touchstream runs already on {self._files.home}: `touchstream status` shows it, `touchstream down` ends it, "
            "TOUCHSTREAM_HOME=other/folder starts a second one"
        )

    def _start(self) -> bool:
        endpoints.path(self._settings).unlink(missing_ok=True)
        if not self._bring_up(self._servers):
            return False
        self._note_endpoints()
        if not self._prepare_servers() or not self._bring_up(self._stages):
            return False
        self._note_endpoints()
        return True

    def _bring_up(self, children: list[Child]) -> bool:
        for child in children:
            ready.forget(self._settings, child.name)
            child.start(time.monotonic())
        while any(child.state != "ready" for child in children):
            if self._stop.wait(TICK_S):
                return False
            self._tick()
            failed = [child for child in children if child.state == "failed" or child.in_a_row > 3]
            if failed:
                raise StartFailed(
                    f"{failed[0].name} does not start: {failed[0].last_line.removeprefix('touchstream: ')} "
                    f"(all of it in {self._files.log})"
                )
        return True

    def _tick(self) -> None:
        for child in (*self._servers, *self._stages):
            was = child.state
            child.check(time.monotonic())
            if child.state == "starting" and was == "waiting":
                ready.forget(self._settings, child.name)
            if child.state == "starting" and ready.heard(self._settings, child.name) is not None:
                child.state = "ready"
                if child.restarts:
                    self._note_endpoints()
        self._tell()

    def _note_endpoints(self) -> None:
        """Write down where everything listens; what is just being started again keeps its last address."""

        def address(name: str, key: str, last: str) -> str:
            return str((ready.heard(self._settings, name) or {}).get(key, last))

        known = endpoints.known(self._settings)
        endpoints.note(
            self._settings,
            Endpoints(
                address("kafka", "address", known.kafka),
                address("clickhouse", "address", known.clickhouse),
                address("serve", "url", known.serve),
                address("intake", "url", known.intake),
            ),
        )
        targets.note(self._settings)

    def _prepare_servers(self) -> bool:
        """Topics and tables; tried again while a server of somebody else's is not there yet."""
        while not self._stop.is_set():
            try:
                prepare(self._settings)
            except (topics_admin.TopicsError, Unavailable) as trouble:
                self._say(f"waiting: {trouble}")
                self._stop.wait(2)
            except (migrations.MigrationError, Refused) as fault:
                raise StartFailed(str(fault)) from fault
            else:
                return True
        return False

    def _tell(self) -> None:
        text = json.dumps({"pid": os.getpid(), "processes": [_facts(c) for c in (*self._servers, *self._stages)]})
        if text != self._told:
            write_atomically(self._files.status, text)
            self._told = text

    def _stop_all(self) -> None:
        for children, timeout_s in ((self._stages, STOP_TIMEOUT_S), (self._servers[::-1], SERVER_STOP_TIMEOUT_S)):
            for child in children:
                child.stop()
            for child in children:
                if not child.wait(timeout_s):
                    self._say(f"{child.name} did not end within {timeout_s:g} s and was killed")
                ready.forget(self._settings, child.name)
        for path in (endpoints.path(self._settings), targets.path(self._settings), self._files.status):
            path.unlink(missing_ok=True)


def prepare(settings: Settings) -> None:
    """Make missing topics and apply pending migrations.

    Raises TopicsError, Unavailable, Refused, MigrationError, and StartFailed when a topic has another number of partitions.
    """
    admin = topics_admin.open_admin(endpoints.kafka(settings))
    try:
        differences = topics_admin.plan(admin, settings)
        _refuse_other_partitions(differences)
        topics_admin.create_missing(admin, settings, differences)
    finally:
        admin.close()
    server = ClickHouse(settings, database="default")
    migrations.prepare(server, settings.clickhouse_database)
    server.close()
    database = ClickHouse(settings)
    migrations.migrate(database, migrations.listed())
    database.close()


def _refuse_other_partitions(differences: list[Difference]) -> None:
    """Stages on topics that are not cut alike would wait for partitions that do not exist."""
    for one in differences:
        if one.what == "partitions":
            raise StartFailed(
                f"{one.topic} has {one.actual} partitions, the settings say {one.desired}: "
                "give TOUCHSTREAM_TOPIC_PARTITIONS the number that the topics were made with"
            )


def status(settings: Settings) -> dict[str, Any] | None:
    """What the supervisor of this home last wrote, or None when none runs."""
    files = Files(settings.home.absolute())
    try:
        with files.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that ask at once are no supervisor
            return None
    except BlockingIOError:
        pass
    except FileNotFoundError:
        return None
    try:
        return dict(json.loads(files.status.read_text()))
    except FileNotFoundError:
        return {"pid": None, "processes": []}


def _facts(child: Child) -> dict[str, Any]:
    return {"name": child.name, "pid": child.pid, "state": child.state, "restarts": child.restarts}


def _merged_log(path: Path) -> logging.Logger:
    log = logging.Logger("touchstream.merged", logging.INFO)
    log.addHandler(RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8"))
    return log


def _instance(home: Path) -> str:
    """A name that no other supervisor's workers have: of this machine and this home."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:100]
    return f"{host}-{hashlib.blake2b(str(home).encode(), digest_size=6).hexdigest()}"
