"""Do the tables remember the tokens of inserts? Without that a repeated insert is stored twice; by default they do not."""

import re
from typing import Final

from sinks.clickhouse import ClickHouse

_WINDOW: Final = re.compile(r"\b(non_)?replicated_deduplication_window = (\d+)")
_TABLES: Final = (
    "SELECT name, engine, engine_full FROM system.tables WHERE database = currentDatabase() AND name IN %(names)s"
)


class DeduplicationMissing(Exception):
    """A table is not there, or would take the same insert twice."""


def remembered(engine: str, engine_full: str) -> int:
    """How many inserts a table remembers; -1 where that is the engine's own default, which is not none."""
    replicated = engine.startswith(("Replicated", "Shared"))
    for non, window in _WINDOW.findall(engine_full):
        if bool(non) is not replicated:
            return int(window)
    return -1 if replicated else 0


def check(database: ClickHouse, tables: list[str]) -> None:
    """Raises DeduplicationMissing, Unavailable, Refused."""
    found = {name: remembered(engine, full) for name, engine, full in database.query(_TABLES, {"names": tuple(tables)})}
    missing = [name for name in tables if name not in found]
    if missing:
        raise DeduplicationMissing(f"no table {', '.join(missing)}: run `touchstream db migrate`")
    forgetful = [name for name, window in found.items() if not window]
    if forgetful:
        raise DeduplicationMissing(
            f"the table {', '.join(forgetful)} would take a repeated insert twice: "
            "give it a setting non_replicated_deduplication_window of 10000"
        )
