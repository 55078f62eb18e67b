"""State on a real broker: saved, and read back from what is saved and the rest of the changelog."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from pipeline import topics_admin
from processors.changelog import Restored, Restoring, marker, restore
from processors.shelf import open_shelf
from processors.store import Limits, Position, Store
from processors.transaction import Names, Transaction
from tests.harness.installation import Installation

PREFIX = "state-test."
SOURCE = PREFIX + "touchpoints.resolved.v1"
CHANGELOG = PREFIX + "state.journey.v1"
NOTHING_HELD = Limits(unsaved=0, every_ms=0, held=0)
State = dict[bytes, bytes | None]


def now() -> int:
    """Milliseconds since epoch, UTC."""
    return time.time_ns() // 1_000_000


class Kept:
    """A fold's state without the fold."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def restore(self, key: bytes, value: bytes | None) -> None:
        """See Restorable."""
        self.store.restore(key, value)

    def restored(self) -> None:
        """See Restorable."""


@pytest.fixture(scope="module")
def names(shared: Installation) -> Iterator[Names]:
    """Topics of the test's own."""
    settings = shared.settings.model_copy(update={"topic_prefix": PREFIX})
    bootstrap = shared.bootstrap()
    admin = topics_admin.open_admin(bootstrap)
    try:
        topics_admin.create_missing(admin, settings, topics_admin.plan(admin, settings))
        yield Names("journey", bootstrap, PREFIX + "journey", PREFIX, CHANGELOG, settings.topic_partitions)
    finally:
        admin.close()


async def write(transaction: Transaction, store: Store, until: int) -> None:
    """One transaction of whatever has been put into the store."""
    changes = [*store.changes(), marker({"resolved": until})]
    offset = await transaction.write([], changes, {TopicPartition(SOURCE, 0): until})
    store.committed(Position(offset, {"resolved": until}, now()))


async def read(names: Names, shelf: Path | None) -> tuple[Restored, State, Store]:
    """What a process that starts has."""
    store = Store(open_shelf(shelf) if shelf else None, NOTHING_HELD if shelf else Limits())
    told: list[Restoring] = []
    restored = await restore(names, 0, Kept(store), told.append)
    assert told[-1].left == 0
    assert told[-1].records == restored.records
    return restored, {b"p_%d" % n: store.get(b"p_%d" % n) for n in range(60)}, store


def test_a_restart_reads_only_what_came_after_the_last_save(names: Names, tmp_path: Path) -> None:
    """And then has what one who reads everything has."""
    asyncio.run(_restart(names, tmp_path))


async def _restart(names: Names, tmp_path: Path) -> None:
    transaction = Transaction(names, 0)
    await transaction.open()
    _, _, store = await read(names, tmp_path)
    for number in range(3):
        for person in range(50):
            store.put(b"p_%d" % person, b"%d" % number)
        store.delete(b"p_%d" % number)
        await write(transaction, store, number + 1)
    store.put(b"p_1", b"never committed")
    store.changes()
    store.abandon()
    saved, state, store = await read(names, tmp_path)
    assert saved.resumed
    assert saved.records <= 51, "the last batch at most"
    store.abandon()
    # Another owner goes on, without our shelf; its last transaction stays open.
    whole, same, other = await read(names, None)
    assert (whole.applied, same, len(other)) == (saved.applied, state, len(store))
    other.put(b"p_55", b"new")
    await write(transaction, other, 9)
    tail, after, store = await read(names, tmp_path)
    assert tail.resumed
    assert tail.applied == {"resolved": 9}
    assert after == {**state, b"p_55": b"new"}
    assert tail.records < whole.records
    store.close(now())
    await transaction.close(5)


@pytest.mark.parametrize("why", ["another cluster", "tombstones", "beyond the end"])
def test_what_is_too_old_or_of_another_log_is_not_used(
    names: Names, tmp_path: Path, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One clear line, and the whole changelog is read."""
    caplog.set_level(logging.WARNING, "touchstream.state")
    log = topics_admin.log_identity(names.bootstrap, names.changelog)
    store = Store(open_shelf(tmp_path))
    store.begin("another/log/0" if why == "another cluster" else f"{log.cluster}/{log.topic_id}/0")
    at = 0 if why == "tombstones" else now()
    store.restored(Position(10**9 if why == "beyond the end" else 0, {"resolved": 77}, at))
    store.abandon()
    restored, _, again = asyncio.run(read(names, tmp_path))
    assert not restored.resumed
    assert restored.applied != {"resolved": 77}
    (line,) = [record.message for record in caplog.records if "reading the whole changelog" in record.message]
    assert why in line
    again.close(now())
