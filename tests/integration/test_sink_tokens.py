"""The last line of defence: what the tables make of rows that come again under another token."""

from typing import Any

import pytest

from sinks import deduplication
from sinks.clickhouse import ClickHouse
from sinks.deduplication import DeduplicationMissing
from sinks.rows import TABLES
from tests.harness.sinks import Bench, run_until

NAMES = [table.name for table in TABLES.values()]


class Twice(ClickHouse):
    """Inserts everything once more under a token of its own, as if a plan had been forgotten."""

    def insert(self, table: str, columns: Any, rows: Any, token: str) -> None:
        super().insert(table, columns, [list(column) for column in rows], token)
        super().insert(table, columns, rows, f"other:{token}")


def held(bench: Bench) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of every table and view, as a reader sees them."""
    found = {name: bench.rows(f"SELECT * FROM {name} FINAL ORDER BY ALL") for name in (*NAMES, "answers")}
    return {**found, "arrivals": bench.rows("SELECT * FROM arrivals ORDER BY ALL")}


def test_rows_that_come_again_under_another_token_count_once(bench: Bench) -> None:
    """In every table and in every view."""
    bench.write(300)
    assert run_until(bench.new(), bench.drained, "everything is inserted once").fault is None
    once = held(bench)
    assert all(once.values())
    group = bench.names().group
    again = bench.new(database=Twice(bench.settings), group=f"{group}.again")
    assert run_until(again, lambda: bench.drained(f"{group}.again"), "everything is inserted three times").fault is None
    assert held(bench) == once
    assert bench.number("SELECT sum(touchpoints) FROM arrivals") == bench.written


def test_a_table_that_forgets_tokens_is_refused(bench: Bench) -> None:
    """And one that is missing, before anything is inserted."""
    bench.rows("ALTER TABLE sessions MODIFY SETTING non_replicated_deduplication_window = 0")
    database = ClickHouse(bench.settings)
    with pytest.raises(DeduplicationMissing, match="the table sessions would take a repeated insert twice"):
        deduplication.check(database, NAMES)
    bench.rows("DROP TABLE sessions")
    with pytest.raises(DeduplicationMissing, match="no table sessions"):
        deduplication.check(database, NAMES)
    database.close()


@pytest.mark.parametrize(
    ("engine", "full", "window"),
    [
        ("MergeTree", "MergeTree ORDER BY a", 0),
        ("MergeTree", "MergeTree SETTINGS non_replicated_deduplication_window = 7", 7),
        ("ReplicatedMergeTree", "ReplicatedMergeTree('a') SETTINGS non_replicated_deduplication_window = 7", -1),
        ("ReplicatedMergeTree", "ReplicatedMergeTree('a') SETTINGS replicated_deduplication_window = 0", 0),
        ("MergeTree", "MergeTree SETTINGS replicated_deduplication_window = 5", 0),
    ],
)
def test_windows(engine: str, full: str, window: int) -> None:
    """As `system.tables` shows them."""
    assert deduplication.remembered(engine, full) == window
