"""What the tables say of source records, asked of the real engine in small windows."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pipeline.config import Settings
from pipeline.evidence import TableEvidence
from pipeline.reconcile import REFUSED, REJECTED, STORED, Twin
from sinks import migrations
from sinks.clickhouse import ClickHouse
from tests.harness.installation import Installation

TOPIC = "cx.touchpoints.web.v1"
HOUR = 3_600_000
NOW = 1_763_800_000_000


@pytest.fixture
def database(shared: Installation) -> Iterator[ClickHouse]:
    """Tables of the test's own."""
    name = f"e{uuid4().hex}"
    settings: Settings = Installation(shared.home, {"clickhouse_database": name}).settings
    server = ClickHouse(settings, database="default")
    migrations.prepare(server, name)
    found = ClickHouse(settings)
    migrations.migrate(found, migrations.listed())
    yield found
    found.close()
    server.query(f"DROP DATABASE `{name}`")
    server.close()


def store(
    database: ClickHouse, places: list[tuple[str, int, int, int]], partition: int = 3, topic: str = TOPIC
) -> None:
    """Touchpoints as (event id, source offset, hour of arrival, offset of the resolved record)."""
    columns = ("event_id", "occurred_at", "cell", "arrived_at", "source_topic", "source_partition", "source_offset")
    rows = [(name, NOW, "c", NOW + hour * HOUR, topic, partition, at, own) for name, at, hour, own in places]
    database.insert(
        "touchpoints", (*columns, "_offset"), [list(column) for column in zip(*rows, strict=True)], uuid4().hex
    )


def reject(database: ClickHouse, *offsets: int, stage: str = "resolve") -> None:
    """Rejected records of the same partition."""
    columns = ("source_topic", "source_partition", "source_offset", "stage")
    rows = [(TOPIC, 3, offset, stage) for offset in offsets]
    database.insert("rejected", columns, [list(column) for column in zip(*rows, strict=True)], uuid4().hex)


@pytest.mark.parametrize("window", [1, 4, 1000])
def test_fates_are_those_of_the_partition_whatever_the_window(database: ClickHouse, window: int) -> None:
    store(database, [("a", 5, 0, 1), ("b", 7, 0, 2), ("c", 12, 0, 3)])
    store(database, [("d", 6, 0, 4)], partition=2)
    store(database, [("e", 6, 0, 5)], topic="cx.touchpoints.call.v1")
    reject(database, 8, 12)
    reject(database, 9, stage="sink")
    evidence = TableEvidence(database, window)
    expected = [STORED, 0, STORED, REJECTED, REFUSED, 0, 0, STORED + REJECTED, 0]
    assert list(evidence.fates(TOPIC, 3, 5, 13)) == expected
    assert list(evidence.fates(TOPIC, 3, 12, 12)) == [STORED + REJECTED]
    assert list(evidence.fates(TOPIC, 2, 5, 7)) == [0, STORED, 0]


def test_a_repeated_event_keeps_the_row_of_its_newest_record(database: ClickHouse) -> None:
    store(database, [("again", 1, 0, 10)])
    store(database, [("again", 9, 30, 20)])
    evidence = TableEvidence(database)
    assert list(evidence.fates(TOPIC, 3, 1, 9)) == [0] * 8 + [STORED]
    names = {"again", "never", "quote's \\ and \u00e9", *map(str, range(5000))}
    assert evidence.twins(TOPIC, 3, names) == {"again": Twin(9, NOW + 30 * HOUR)}
    assert evidence.twins(TOPIC, 2, names) == {}
