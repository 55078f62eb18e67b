"""The tables, made by numbered files that never change once they were applied."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sinks.clickhouse import ClickHouse

FOLDER: Final = Path(__file__).with_name("tables")
_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LEDGER: Final = """CREATE TABLE IF NOT EXISTS migrations
(number UInt32, name String, checksum String, applied_at DateTime('UTC') DEFAULT now())
ENGINE = ReplacingMergeTree ORDER BY number"""


class MigrationError(Exception):
    """The database and the files do not agree."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """Its statements, without comments."""
        bare = "\n".join(line for line in self.sql.splitlines() if not line.lstrip().startswith("--"))
        return (statement.strip() for statement in bare.split(";\n") if statement.strip().rstrip(";"))


@dataclass(frozen=True, slots=True)
class Status:
    """Where a migration stands: `applied`, `pending`, or `changed` when the file is not the one that was applied."""

    number: int
    name: str
    state: str


def listed(folder: Path = FOLDER) -> list[Migration]:
    """All migrations, in order. Raises MigrationError for a gap or a bad name."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name} is not named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text()))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the migrations in {folder} are not numbered without gaps")
    return found


def status(database: ClickHouse, migrations: list[Migration]) -> list[Status]:
    """Where each migration stands. Raises Unavailable, Refused."""
    applied = dict(database.query("SELECT number, checksum FROM migrations FINAL"))
    return [Status(m.number, m.name, _state(applied.get(m.number), m)) for m in migrations]


def _state(checksum: str | None, migration: Migration) -> str:
    if checksum is None:
        return "pending"
    return "applied" if checksum == migration.checksum else "changed"


def prepare(server: ClickHouse, name: str) -> None:
    """Make the database and the ledger of migrations, if they are missing. `server` is connected to another database."""
    server.query(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    server.query(_LEDGER.replace("migrations", f"`{name}`.migrations", 1))


def migrate(database: ClickHouse, migrations: list[Migration]) -> list[Migration]:
    """Apply what is pending, in order, and return it.

    Raises MigrationError when an applied file has changed, Unavailable, Refused.
    """
    states = {s.number: s.state for s in status(database, migrations)}
    changed = [m for m in migrations if states[m.number] == "changed"]
    if changed:
        names = ", ".join(f"{m.number:04}_{m.name}" for m in changed)
        raise MigrationError(f"applied before and changed since: {names}. Write a new migration instead")
    pending = [m for m in migrations if states[m.number] == "pending"]
    for migration in pending:
        for statement in migration.statements():
            database.query(_repeatable(statement))
        row: list[list[Any]] = [[migration.number], [migration.name], [migration.checksum]]
        database.insert("migrations", ("number", "name", "checksum"), row, f"migration:{migration.number}")
    return pending


def _repeatable(statement: str) -> str:
    """A migration that was cut off half way is applied again from its beginning."""
    return re.sub(r"^CREATE (TABLE|MATERIALIZED VIEW) (?!IF NOT EXISTS)", r"CREATE \1 IF NOT EXISTS ", statement)
