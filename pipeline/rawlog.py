"""Read topics from their beginning to where they end now."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.events import Origin, Raw
from processors.rejects import attempt_of

# What is held in memory at once while a log is read through.
CHUNK_RECORDS: Final = 50_000
Ends = dict[tuple[str, int], int]
T = TypeVar("T")


class RawLogError(Exception):
    """Kafka does not answer, or does not know a topic."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """All records of some topics; `cut` names the partitions whose oldest records retention has taken."""

    records: list[Raw]
    cut: list[str]


def read(bootstrap: str, topics: Sequence[str], progress: Callable[[int], None] = lambda _: None) -> RawLog:
    """Every committed record of the topics, as of now; `progress` hears how many so far. Raises RawLogError."""
    return _asked(bootstrap, read_now(bootstrap, topics, progress))


def ends(bootstrap: str, topics: Sequence[str]) -> Ends:
    """Where the topics' partitions end now. Raises RawLogError."""

    async def go() -> Ends:
        async with _consumer(bootstrap) as consumer:
            tps = await _partitions(consumer, topics)
            return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(tps)).items()}

    return _asked(bootstrap, go())


def each(
    bootstrap: str, upto: Ends, take: Callable[[list[Raw]], None], progress: Callable[[int], None] = lambda _: None
) -> None:
    """Hand over every committed record before `upto` in chunks of one partition, a partition after the other, in order.

    `progress` hears how many so far. Raises RawLogError, and what `take` raises.
    """

    async def go() -> None:
        done = 0
        async with _consumer(bootstrap) as consumer:
            for place in sorted(upto):
                async for chunk in _chunks(consumer, TopicPartition(*place), upto[place]):
                    take(chunk)
                    done += len(chunk)
                    progress(done)

    _asked(bootstrap, go())


async def _chunks(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> AsyncIterator[list[Raw]]:
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    chunk: list[Raw] = []
    while await consumer.position(tp) < end:
        for records in (await consumer.getmany(tp, timeout_ms=500)).values():
            chunk += [_raw(record) for record in records if record.offset < end]
        if len(chunk) >= CHUNK_RECORDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@asynccontextmanager
async def _consumer(bootstrap: str, isolation: str = "read_committed") -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        try:
            await consumer.start()
        except OSError as error:
            raise RawLogError(f"Kafka at {bootstrap} cannot be read: {error}") from error
        yield consumer
    finally:
        await consumer.stop()


def _asked(bootstrap: str, question: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(question)
    except KafkaError as error:
        raise RawLogError(f"Kafka at {bootstrap} cannot be read: {error}") from error


async def holds(
    bootstrap: str, topic: str, partition: int, offsets: tuple[int, int | None], wanted: Callable[[Raw], bool]
) -> tuple[bool, int]:
    """Whether a partition has a wanted record from the first of the offsets to before the second (None: its end as of now), and
    where the look ended. Records of transactions that are open or were aborted count. Raises KafkaError, RawLogError."""
    tp, (first, end) = TopicPartition(topic, partition), offsets
    if (
        end is not None and first >= end
    ):  # nothing to look at; and a consumer that is stopped at once says it was cancelled
        return False, end
    async with _consumer(bootstrap, "read_uncommitted") as consumer:
        upto: int = end if end is not None else (await consumer.end_offsets([tp]))[tp]
        consumer.assign([tp])
        consumer.seek(tp, first)
        while await consumer.position(tp) < upto:
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                if any(wanted(_raw(record)) for record in records if record.offset < upto):
                    return True, upto
    return False, upto


async def read_now(bootstrap: str, topics: Sequence[str], progress: Callable[[int], None] = lambda _: None) -> RawLog:
    """As `read`, in a loop that runs already. Raises KafkaError, RawLogError."""
    async with _consumer(bootstrap) as consumer:
        tps = await _partitions(consumer, topics)
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        records: list[Raw] = []
        open_tps = {tp for tp in tps if begins[tp] < ends[tp]}
        while open_tps:
            for tp, found in (await consumer.getmany(*open_tps, timeout_ms=500)).items():
                records += [_raw(record) for record in found if record.offset < ends[tp]]
            progress(len(records))
            open_tps = {tp for tp in open_tps if await consumer.position(tp) < ends[tp]}
        return RawLog(records, [f"{tp.topic}-{tp.partition}" for tp in tps if begins[tp] > 0])


async def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()
    missing = [topic for topic in topics if not cluster.partitions_for_topic(topic)]
    if missing:
        raise RawLogError(f"no such topic: {', '.join(missing)} (`touchstream topics apply` makes them)")
    return [TopicPartition(topic, p) for topic in topics for p in sorted(cluster.partitions_for_topic(topic))]


def _raw(record: ConsumerRecord) -> Raw:
    origin = Origin(record.topic, record.partition, record.offset, record.timestamp)
    return Raw(origin, record.key, record.value, attempt_of(record.headers))
