"""How far each group is behind, in records that are really there: a transaction's markers take offsets too and do not count."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from pipeline.config import Settings
from pipeline.topics import RESOLVED, SOURCES
from sinks.rows import TABLES

# Below this distance a look at the records tells markers from data; above it the distance itself is near enough.
LOOK_BELOW: Final = 2000
LOOK_MS: Final = 300
FETCH_MS: Final = 100
PATIENCE_MS: Final = 10_000
READS: Final = {"resolve": SOURCES, "journey": (RESOLVED,), "sink": tuple(TABLES)}


T = TypeVar("T")


class LagUnknown(Exception):
    """Kafka does not answer."""


@dataclass(frozen=True, slots=True)
class Position:
    """One group at one moment: records it has yet to read, and the sum of its committed offsets."""

    lag: int
    committed: int


Ends = dict[TopicPartition, int]


def ends(bootstrap: str, settings: Settings, stage: str) -> Ends:
    """Where the topics that a stage reads end now. Raises LagUnknown."""
    return _asked(bootstrap, _ends(bootstrap, settings, READS[stage]))


def behind(bootstrap: str, settings: Settings, stage: str, upto: Ends) -> int:
    """How many records before `upto` the stage has yet to apply. Raises LagUnknown."""
    return _asked(bootstrap, _position(bootstrap, settings, stage, upto)).lag


def measure(
    bootstrap: str, settings: Settings, stages: Sequence[str] = tuple(READS), *, exact: bool = True
) -> dict[str, Position]:
    """The position of each stage's group, upstream first. Raises LagUnknown.

    Unless it must be `exact`, a stage with much to do is not looked at record by record: its markers count as records.
    """
    return _asked(bootstrap, _measure(bootstrap, settings, stages, exact))


def produced(bootstrap: str, settings: Settings) -> int:
    """How many records the source topics have taken, ever. Raises LagUnknown."""
    return sum(_asked(bootstrap, _ends(bootstrap, settings, SOURCES)).values())


def _asked(bootstrap: str, question: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(question)
    except (KafkaError, OSError) as error:
        raise LagUnknown(f"Kafka at {bootstrap} does not answer: {error}") from error


async def _ends(bootstrap: str, settings: Settings, names: Sequence[str]) -> Ends:
    consumer = await _consumer(bootstrap, None)
    try:
        found: Ends = await consumer.end_offsets(_partitions(settings, names))
        return found
    finally:
        await consumer.stop()


async def _consumer(bootstrap: str, group: str | None) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        request_timeout_ms=PATIENCE_MS,
        fetch_max_wait_ms=FETCH_MS,
    )
    try:
        await consumer.start()
    except KafkaError:
        await consumer.stop()
        raise
    return consumer


def _partitions(settings: Settings, names: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(settings.topic_prefix + name, p) for name in names for p in range(settings.topic_partitions)]


async def _measure(bootstrap: str, settings: Settings, stages: Sequence[str], exact: bool) -> dict[str, Position]:
    return {stage: await _position(bootstrap, settings, stage, exact=exact) for stage in stages}


async def _position(
    bootstrap: str, settings: Settings, stage: str, upto: Ends | None = None, *, exact: bool = True
) -> Position:
    consumer = await _consumer(bootstrap, f"{settings.topic_prefix}{stage}")
    try:
        tps = _partitions(settings, READS[stage])
        consumer.assign(tps)
        last, begins = upto or await consumer.end_offsets(tps), await consumer.beginning_offsets(tps)
        committed = {tp: await consumer.committed(tp) or 0 for tp in tps}
        left = {tp: last[tp] - max(committed[tp], begins[tp]) for tp in tps}
        near = _near(left, exact)
        if near:
            left |= await _look(consumer, near, committed, last)
        return Position(sum(max(0, n) for n in left.values()), sum(committed.values()))
    finally:
        await consumer.stop()


def _near(left: dict[TopicPartition, int], exact: bool) -> list[TopicPartition]:
    """Of which partitions the records are to be counted."""
    if not exact and sum(left.values()) > LOOK_BELOW:
        return []
    return [tp for tp, distance in left.items() if 0 < distance <= LOOK_BELOW]


async def _look(
    consumer: AIOKafkaConsumer,
    tps: list[TopicPartition],
    committed: dict[TopicPartition, int],
    last: Ends,
) -> dict[TopicPartition, int]:
    """Count the records between committed offset and end. Raises KafkaTimeoutError when Kafka is silent."""
    consumer.assign(tps)
    for tp in tps:
        consumer.seek(tp, committed[tp])
    found = dict.fromkeys(tps, 0)
    open_tps, silent_ms = set(tps), 0
    while open_tps:
        batches = await consumer.getmany(*open_tps, timeout_ms=LOOK_MS)
        for tp, records in batches.items():
            found[tp] += sum(record.offset < last[tp] for record in records)
        before = len(open_tps)
        open_tps = {tp for tp in open_tps if not await _is_read(consumer, tp, last[tp])}
        silent_ms = 0 if batches or len(open_tps) < before else silent_ms + LOOK_MS
        if silent_ms >= PATIENCE_MS:
            raise KafkaTimeoutError("it knows of records that it does not hand over")
    return found


async def _is_read(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> bool:
    """Nothing before `end` is left to read. Where an open transaction holds the rest back, Kafka has to have said so."""
    position, stable = await consumer.position(tp), consumer.last_stable_offset(tp)
    return bool(position >= end or (stable is not None and position >= stable))
