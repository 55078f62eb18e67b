"""Read topics from their beginning to where they end now."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.events import Origin, Raw


class RawLogError(Exception):
    """Kafka does not answer, or does not know a topic."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """All records of some topics; `cut` names the partitions whose oldest records retention has taken."""

    records: list[Raw]
    cut: list[str]


def read(bootstrap: str, topics: Sequence[str], progress: Callable[[int], None] = lambda _: None) -> RawLog:
    """Every committed record of the topics, as of now; `progress` hears how many so far. Raises RawLogError."""
    try:
        return asyncio.run(_read(bootstrap, topics, progress))
    except (KafkaError, OSError) as error:
        raise RawLogError(f"Kafka at {bootstrap} cannot be read: {error}") from error


async def _read(bootstrap: str, topics: Sequence[str], progress: Callable[[int], None]) -> RawLog:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        await consumer.start()
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
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()
    missing = [topic for topic in topics if not cluster.partitions_for_topic(topic)]
    if missing:
        raise RawLogError(f"no such topic: {', '.join(missing)} (`touchstream topics apply` makes them)")
    return [TopicPartition(topic, p) for topic in topics for p in sorted(cluster.partitions_for_topic(topic))]


def _raw(record: ConsumerRecord) -> Raw:
    return Raw(Origin(record.topic, record.partition, record.offset, record.timestamp), record.key, record.value)
