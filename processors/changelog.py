"""A partition's state, read back from its changelog; and the marker that says up to where the sources are applied in it.

Where the state was saved on a shelf, only what was written to the changelog since then is read.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from pipeline import crash
from pipeline.topics_admin import LogIdentity, TopicsError, log_identity
from processors.store import Position, ShelfDamaged, ShelfUnusable, Store
from processors.transaction import Names

logger = logging.getLogger("touchstream.state")
# A state key never begins with a zero byte. One marker goes into every transaction: a batch may change no state at all.
MARKER: Final = b"\0applied"
FETCH_BYTES: Final = 8 << 20
REPORT_S: Final = 5.0
_marks = msgspec.msgpack.Decoder(dict[str, int])


class Restorable(Protocol):
    """State that can be read back."""

    @property
    def store(self) -> Store:
        """Where it is kept."""

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one record; a later one of the same key replaces it, None removes it."""

    def restored(self) -> None:
        """All records are in."""


@dataclass(frozen=True, slots=True)
class Restoring:
    """How far a restore has come: changelog records read, offsets left to read, seconds since it began."""

    partition: int
    records: int
    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Restored:
    """The next offset to apply by source topic, how many changelog records were read, and whether the shelf had the rest."""

    applied: dict[str, int]
    records: int
    resumed: bool


def marker(applied: dict[str, int]) -> tuple[bytes, bytes]:
    """The marker's record: by source topic the next offset to apply."""
    return MARKER, msgspec.msgpack.encode(applied)


def unfit(position: Position, log: tuple[int, int], now: int, retention_ms: int) -> str | None:
    """Why one cannot go on from a saved state; None when one can. `log` is the changelog's first and next offset."""
    first, end = log
    if position.changelog > end:
        return "it goes beyond the end of the changelog"
    if position.changelog < first:
        return "it ends before the changelog begins"
    if now - position.at >= retention_ms:
        return "it is older than the changelog's tombstones are kept"
    return None


async def restore(
    names: Names, partition: int, state: Restorable, on_progress: Callable[[Restoring], None] | None = None
) -> Restored:
    """Bring `state` to the end of the changelog's partition (committed records only). Raises KafkaError, ShelfDamaged, OSError."""
    identity = await _identity(names)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=names.bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=4 * FETCH_BYTES,
    )
    try:
        await consumer.start()
        tp = TopicPartition(names.changelog, partition)
        consumer.assign([tp])
        first, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
        saved = _saved(state.store, partition, identity, (first, end))
        consumer.seek(tp, saved.changelog if saved else first)
        reading = _Reading(consumer, tp, end, on_progress or _silent)
        applied = await reading.into(state, names.stage, dict(saved.applied) if saved else {})
        state.restored()
        state.store.restored(Position(end, applied, _now()))
        return Restored(applied, reading.records, saved is not None)
    finally:
        await consumer.stop()


class _Reading:
    def __init__(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, end: int, on_progress: Callable[[Restoring], None]
    ) -> None:
        self.records = 0
        self._consumer, self._tp, self._end = consumer, tp, end
        self._on_progress = on_progress
        self._began = self._reported = time.monotonic()

    async def into(self, state: Restorable, stage: str, applied: dict[str, int]) -> dict[str, int]:
        """Read to the end. Returns what the last marker says."""
        take = state.restore
        while (position := await self._consumer.position(self._tp)) < self._end:
            self._tell(position)
            for records in (await self._consumer.getmany(self._tp, timeout_ms=500)).values():
                self.records += len(records)
                crash.here(stage, "restoring")
                for record in records:
                    if record.key == MARKER:
                        applied = _marks.decode(record.value)
                    else:
                        take(record.key, record.value)
        self._tell(self._end)
        return applied

    def _tell(self, position: int) -> None:
        now = time.monotonic()
        found = Restoring(self._tp.partition, self.records, max(0, self._end - position), now - self._began)
        self._on_progress(found)
        if now - self._reported >= REPORT_S:
            self._reported = now
            logger.info(
                "partition %d: reading the changelog for %.0f s, %d records, %d offsets left",
                found.partition,
                found.seconds,
                found.records,
                found.left,
            )


def _silent(_restoring: Restoring) -> None:
    pass


def _saved(store: Store, partition: int, identity: LogIdentity, log: tuple[int, int]) -> Position | None:
    """How far the shelf goes, if one can go on from it; else the shelf is empty afterwards."""
    try:
        position = store.begin(f"{identity.cluster}/{identity.topic_id}/{partition}")
        why = unfit(position, log, _now(), identity.tombstones_ms) if position else None
    except (ShelfUnusable, ShelfDamaged) as error:
        position, why = None, str(error)
    if why is not None:
        logger.warning("partition %d: the saved state is not used, %s; reading the whole changelog", partition, why)
    if why is not None or position is None:
        store.reset()
        return None
    return position


async def _identity(names: Names) -> LogIdentity:
    try:
        return await asyncio.to_thread(log_identity, names.bootstrap, names.changelog)
    except TopicsError as error:
        raise KafkaConnectionError(str(error)) from error


def _now() -> int:
    return int(time.time() * 1000)
