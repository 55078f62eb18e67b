"""Migrations of the tables against the real engine: pending, applied, changed, cut off."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from sinks import migrations
from sinks.clickhouse import ClickHouse, Refused
from sinks.migrations import Migration, MigrationError, Status
from tests.harness.installation import Installation

FIRST = "-- The first; a comment.\nCREATE TABLE one (n Int64) ENGINE = MergeTree ORDER BY n;\n"
SECOND = """CREATE TABLE two (n Int64) ENGINE = MergeTree ORDER BY n;
CREATE MATERIALIZED VIEW one_to_two TO two AS SELECT n FROM one;
"""
OURS = [f"{one.number:04}_{one.name}" for one in migrations.listed()]


def applied() -> list[dict[str, object]]:
    return [{"number": one.number, "name": one.name, "state": "applied"} for one in migrations.listed()]


@pytest.fixture
def separate(shared: Installation) -> Installation:
    """The same ClickHouse, and a database that does not exist yet."""
    return Installation(shared.home, {"clickhouse_database": f"m{uuid4().hex}"})


@pytest.fixture
def database(separate: Installation) -> Iterator[ClickHouse]:
    """A new database with a ledger of migrations."""
    server = ClickHouse(separate.settings, database="default")
    migrations.prepare(server, separate.settings.clickhouse_database)
    found = ClickHouse(separate.settings)
    yield found
    found.close()
    server.query(f"DROP DATABASE `{separate.settings.clickhouse_database}`")
    server.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Migration]:
    (tmp_path / "0001_first.sql").write_text(FIRST)
    (tmp_path / "0002_second.sql").write_text(SECOND)
    return migrations.listed(tmp_path)


def tables(database: ClickHouse) -> set[str]:
    return {row[0] for row in database.query("SELECT name FROM system.tables WHERE database = currentDatabase()")}


def test_pending_ones_are_applied_in_order_and_once(database: ClickHouse, files: list[Migration]) -> None:
    assert migrations.status(database, files) == [Status(1, "first", "pending"), Status(2, "second", "pending")]
    assert migrations.migrate(database, files[:1]) == files[:1]
    assert migrations.status(database, files) == [Status(1, "first", "applied"), Status(2, "second", "pending")]
    assert migrations.migrate(database, files) == files[1:]
    assert migrations.migrate(database, files) == []
    assert {s.state for s in migrations.status(database, files)} == {"applied"}
    database.query("INSERT INTO one VALUES (7)")
    assert database.query("SELECT n FROM two") == [(7,)]


def test_a_file_that_has_changed_is_refused_before_anything_is_done(
    database: ClickHouse, files: list[Migration]
) -> None:
    migrations.migrate(database, files[:1])
    changed = [replace(files[0], sql=FIRST + "\n"), files[1]]
    assert [s.state for s in migrations.status(database, changed)] == ["changed", "pending"]
    with pytest.raises(MigrationError, match="applied before and changed since: 0001_first"):
        migrations.migrate(database, changed)
    assert "two" not in tables(database)


def test_one_that_was_cut_off_is_applied_again_from_its_beginning(database: ClickHouse, files: list[Migration]) -> None:
    broken = replace(files[1], sql=SECOND + "CREATE TABLE three (n Nonsense) ENGINE = MergeTree ORDER BY n;\n")
    with pytest.raises(Refused):
        migrations.migrate(database, [files[0], broken])
    assert {"one", "two", "one_to_two"} <= tables(database)
    assert [s.state for s in migrations.status(database, files)] == ["applied", "pending"]
    assert migrations.migrate(database, files) == files[1:]


def test_two_at_once_do_no_harm(separate: Installation) -> None:
    commands = [separate.begin("db", "migrate") for _ in range(2)]
    assert [command.wait(60) for command in commands] == [0, 0]
    assert separate.told("db", "status") == applied()


def test_the_commands_tell_where_it_stands(separate: Installation) -> None:
    pending = separate.run("db", "status")
    assert (pending.returncode, pending.stdout) == (1, "".join(f"pending  {name}\n" for name in OURS))
    done = separate.run("db", "migrate")
    assert (done.returncode, done.stdout) == (0, "".join(f"applied  {name}\n" for name in OURS))
    assert separate.told("db", "status") == applied()
    separate.query("INSERT INTO migrations (number, name, checksum) VALUES (1, 'pipeline', 'other')")
    refused = separate.run("db", "migrate")
    assert refused.returncode == 65
    assert refused.stderr == (
        "touchstream: applied before and changed since: 0001_pipeline. Write a new migration instead\n"
    )


def test_arrivals_that_were_summed_before_are_counted_as_before(database: ClickHouse) -> None:
    """And once more when the second migration is applied again, as after it was cut off."""
    ours = migrations.listed()
    migrations.migrate(database, ours[:1])
    columns = "event_id, channel, source, cell, occurred_at, arrived_at, _topic, _partition, _offset"
    rows = "SELECT toString(number), 'web', 'shop', 'c', now(), now() - number % 5, 't', number % 2, number FROM numbers(1000)"
    database.query(f"INSERT INTO touchpoints ({columns}) {rows}")
    before = database.query("SELECT second, channel, source, sum(touchpoints) FROM arrivals GROUP BY ALL ORDER BY ALL")
    migrations.migrate(database, ours)
    for statement in ours[1].statements():
        database.query(migrations._repeatable(statement))
    after = database.query("SELECT second, channel, source, touchpoints FROM arrivals ORDER BY ALL")
    assert after == before
    assert sum(row[3] for row in after) == 1000
    assert {"arrivals", "arrival_offsets", "arrival_offsets_view"} <= tables(database)
    assert "arrivals_view" not in tables(database)
