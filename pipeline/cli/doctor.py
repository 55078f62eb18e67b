"""`touchstream doctor`: what is wrong, and what to do."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.embedded.java import find_java
from deploy.embedded.kafka_errors import EmbeddedKafkaError
from pipeline import config, endpoints, lag, supervisor, topics_admin
from pipeline.cli.output import as_json, out
from pipeline.config import Settings
from sinks import migrations
from sinks.clickhouse import ClickHouse, Refused, Unavailable

FREE_BYTES: Final = 2 << 30
MARKS: Final = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `state` is ok, warn or fail; `advice` says what to do where it is not ok."""

    what: str
    state: str
    detail: str
    advice: str = ""


def doctor(json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> None:
    """Look at settings, machine, servers, topics, tables, processes and lag. Exit code 1 when something is wrong.

    Example: touchstream doctor
    """
    findings = list(_findings())
    if json:
        as_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(f"{MARKS[finding.state]} {finding.what}: ", end="")
            out.print(finding.detail, markup=False)
            if finding.advice:
                out.print(f"       {finding.advice}", markup=False)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _findings() -> Iterator[Finding]:
    yield Finding("python", "ok", sys.version.split()[0])
    try:
        settings = config.load()
    except config.ConfigError as error:
        yield Finding("settings", "fail", str(error), "`touchstream config` lists what can be set")
        return
    yield Finding("settings", "ok", "valid")
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_home, _java, _processes, _kafka, _clickhouse)
    for look in looks:
        yield from look(settings)


def _home(settings: Settings) -> Iterator[Finding]:
    existing = next(p for p in (settings.home.absolute(), *settings.home.absolute().parents) if p.exists())
    if not os.access(existing, os.W_OK):
        yield Finding("home", "fail", f"{existing} cannot be written", "set TOUCHSTREAM_HOME to a folder of yours")
        return
    free = shutil.disk_usage(existing).free
    detail = f"{settings.home.absolute()}, {free / (1 << 30):.1f} GiB free"
    if free < FREE_BYTES:
        yield Finding("home", "warn", detail, "Kafka stops when the disk is full: make room or set TOUCHSTREAM_HOME")
    else:
        yield Finding("home", "ok", detail)


def _java(settings: Settings) -> Iterator[Finding]:
    if settings.kafka_bootstrap:
        return
    try:
        yield Finding("java", "ok", str(find_java(settings.kafka_java)))
    except EmbeddedKafkaError as error:
        yield Finding("java", "fail", error.problem, error.advice)


def _processes(settings: Settings) -> Iterator[Finding]:
    running = supervisor.status(settings)
    if running is None:
        yield Finding("processes", "warn", "nothing runs on this home", "`touchstream up` starts everything")
        return
    for process in running["processes"]:
        detail = f"{process['state']}, {process['restarts']} restarts"
        if process["state"] == "ready":
            yield Finding(process["name"], "ok" if not process["restarts"] else "warn", detail)
        else:
            log = settings.home / "touchstream.log"
            yield Finding(process["name"], "fail", detail, _last_words(log, process["name"]) or f"{log} may say why")


def _last_words(log: Path, name: str) -> str:
    if not log.exists():
        return ""
    lines = [line for line in log.read_text(errors="replace").splitlines()[-2000:] if name in line]
    return lines[-1][:300] if lines else ""


def _kafka(settings: Settings) -> Iterator[Finding]:
    address = endpoints.known(settings).kafka
    if not address:
        return
    try:
        admin = topics_admin.open_admin(address, timeout_s=5)
        try:
            differences = topics_admin.plan(admin, settings)
        finally:
            admin.close()
    except topics_admin.TopicsError as error:
        yield Finding("kafka", "fail", str(error), "`touchstream status` shows whether it is being restarted")
        return
    yield Finding("kafka", "ok", address)
    if differences:
        first = differences[0]
        detail = (
            f"{len(differences)} differences, first: {first.topic} {first.what} is {first.actual}, not {first.desired}"
        )
        yield Finding(
            "topics", "fail", detail, "`touchstream topics plan` shows all, `topics apply` makes missing ones"
        )
    else:
        yield Finding("topics", "ok", "as the table has them")
    try:
        behind = {name: position.lag for name, position in lag.measure(address, settings).items()}
    except lag.LagUnknown as error:
        yield Finding("lag", "fail", str(error))
        return
    yield Finding("lag", "ok", ", ".join(f"{name} {n}" for name, n in behind.items()))


def _clickhouse(settings: Settings) -> Iterator[Finding]:
    if not endpoints.known(settings).clickhouse:
        return
    try:
        database = ClickHouse(settings)
        version = database.query("SELECT version()")[0][0]
        states = migrations.status(database, migrations.listed())
        database.close()
    except (Unavailable, Refused) as error:
        yield Finding(
            "clickhouse", "fail", str(error), "`touchstream db migrate` makes the tables; `status` shows processes"
        )
        return
    yield Finding("clickhouse", "ok", f"version {version}")
    pending = [f"{s.number:04}_{s.name} {s.state}" for s in states if s.state != "applied"]
    if pending:
        yield Finding("tables", "fail", ", ".join(pending), "`touchstream db migrate` applies what is pending")
    else:
        yield Finding("tables", "ok", f"{len(states)} migrations applied")
