"""Columns as they go to ClickHouse, and what clickhouse-driver itself makes of them."""

import re
from types import SimpleNamespace
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import write_column

from sinks import migrations

BUFFER_BYTES = 1 << 16


class _Socket:
    """Takes whatever is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: Any) -> None:
        self.sent += bytes(data)


class Out(BufferedSocketWriter):  # type: ignore[misc]
    """A writer of the driver's that keeps what is written."""

    def __init__(self) -> None:
        self.to = _Socket()
        super().__init__(self.to, BUFFER_BYTES)

    def written(self) -> bytes:
        """Everything so far."""
        self.flush()
        return self.to.sent


def of_driver(kind: str, values: list[Any]) -> bytes:
    """A column's values as the driver writes them. Raises what it raises."""
    context, out = Client("127.0.0.1").connection.context, Out()
    context.server_info = SimpleNamespace(get_timezone=lambda: "UTC")
    write_column(context, "c", kind, list(values), out)
    return out.written()


def declared() -> dict[str, dict[str, str]]:
    """Columns and types of every table, as the migrations declare them; nested ones under their full names."""
    sql = "\n".join(migration.sql for migration in migrations.listed())
    found = {}
    for name, body in re.findall(r"CREATE TABLE (\w+)\n\((.*?)\n\)", sql, re.DOTALL):
        columns: dict[str, str] = {}
        for column, kind in re.findall(r"^\s*(\w+)\s+(.+?),?$", body, re.MULTILINE):
            nested = re.fullmatch(r"Nested\((.*)\)", kind)
            parts = re.findall(r"(\w+) ((?:\w|\([^)]*\))+)", nested[1]) if nested else []
            columns |= {f"{column}.{part}": f"Array({inner})" for part, inner in parts} or {column: kind}
        found[name] = columns
    for name, column, kind in re.findall(
        r"^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (\w+) (.+?)(?: AFTER|;|$)", sql, re.MULTILINE
    ):
        found[name][column] = kind
    return found
