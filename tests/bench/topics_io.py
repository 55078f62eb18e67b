"""Topics of the bench: made, filled, read back. Result topics carry the broker's own times."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import CoordinatorNotAvailableError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from pipeline.partitions import partition_of
from pipeline.topics import TOPICS, desired_config
from tests.bench.broker import BenchFailed

PARTITIONS: Final = 4
BROKER_TIME: Final = {"message.timestamp.type": "LogAppendTime"}
ROOMY: Final = {"max.message.bytes": str(64 << 20)}
GONE_S: Final = 20.0


def create(bootstrap: str, configs: dict[str, dict[str, str]], partitions: int = PARTITIONS) -> None:
    """Make topics with these configurations, anew where they exist; what was in them is gone."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        existing = set(admin.list_topics())
        if old := sorted(existing & configs.keys()):
            admin.delete_topics(old)
        wanted = [NewTopic(name, partitions, 1, topic_configs=config) for name, config in configs.items()]
        # A deletion is complete when it is answered; what exists by then was made by a request that the client has repeated.
        with contextlib.suppress(TopicAlreadyExistsError):
            admin.create_topics(wanted)
        admin.wait_for_topics(list(configs))
    finally:
        admin.close()


def delete(bootstrap: str, topics: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
    """Delete topics and groups; what does not exist is passed over."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        existing = set(admin.list_topics())
        with contextlib.suppress(UnknownTopicOrPartitionError):
            if found := sorted(existing & set(topics)):
                admin.delete_topics(found)
        _forget(admin, list(groups))
    finally:
        admin.close()


def _forget(admin: Any, groups: list[str]) -> None:
    """Delete groups. Members that were killed are counted as such until their session ends, so it may take a while."""
    deadline = time.monotonic() + GONE_S
    while groups:
        try:
            answers = admin.delete_groups(groups)
        except CoordinatorNotAvailableError:
            answers = dict.fromkeys(groups, "CoordinatorNotAvailableError")
        groups = [name for name, answer in answers.items() if answer not in ("OK", "GroupIdNotFoundError")]
        if groups and time.monotonic() > deadline:
            raise BenchFailed(f"these groups cannot be deleted: {answers}")
        time.sleep(0.2 if groups else 0)


def of_run(bootstrap: str, run: str) -> list[str]:
    """The topics that belong to one run, its changelogs among them."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return [name for name in admin.list_topics() if run in name]
    finally:
        admin.close()


def ours(prefix: str, *, without: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """The configurations of touchstream's own partitioned topics under a prefix, with the broker's times."""
    left_out = set(without)
    wanted = (topic for topic in TOPICS if topic.partitions is None and topic.name not in left_out)
    return {prefix + topic.name: {**desired_config(topic, 1), **BROKER_TIME} for topic in wanted}


def fill(bootstrap: str, topic: str, pairs: Iterable[tuple[bytes, bytes]], partitions: int = PARTITIONS) -> None:
    """Write records, each to the partition of its key, in order, acknowledged."""
    asyncio.run(_fill(bootstrap, topic, pairs, partitions))


async def _fill(bootstrap: str, topic: str, pairs: Iterable[tuple[bytes, bytes]], partitions: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=512 << 10,
        max_request_size=16 << 20,
    )
    await producer.start()
    try:
        batches = {p: producer.create_batch() for p in range(partitions)}
        sent: list[Any] = []
        for key, value in pairs:
            where = partition_of(key, partitions)
            if batches[where].append(key=key, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batches[where], topic, partition=where))
                batches[where] = producer.create_batch()
                batches[where].append(key=key, value=value, timestamp=None)
        sent += [await producer.send_batch(batch, topic, partition=where) for where, batch in batches.items()]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


@dataclass(slots=True)
class Latest:
    """The latest value of every key of a topic, how many records there were, and the broker's time of the last, milliseconds."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    records: int = 0
    last_at: int = 0
    positions: dict[int, int] = field(default_factory=dict)

    def take(self, records: list[Any]) -> None:
        """Take records of one partition, in order."""
        self.records += len(records)
        self.values.update((record.key, record.value) for record in records)
        self.last_at = max(self.last_at, records[-1].timestamp)
        self.positions[records[-1].partition] = records[-1].offset + 1


class Ends:
    """Where a topic ends, asked again and again through one connection. A context manager."""

    def __init__(self, bootstrap: str, topic: str, partitions: int = PARTITIONS) -> None:
        self._loop = asyncio.new_event_loop()
        self._bootstrap = bootstrap
        self._tps = [TopicPartition(topic, p) for p in range(partitions)]
        self._consumer: Any = None

    def __enter__(self) -> "Ends":
        self._loop.run_until_complete(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._consumer.stop())
        self._loop.close()

    def total(self) -> int:
        """The sum of the ends, for those who read what is committed."""
        return sum(self.by_partition().values())

    def by_partition(self) -> dict[int, int]:
        """The end of each partition."""
        ends = self._loop.run_until_complete(self._consumer.end_offsets(self._tps))
        return {tp.partition: end for tp, end in ends.items()}

    async def _open(self) -> None:
        self._consumer = _consumer(self._bootstrap)
        await self._consumer.start()


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends now."""
    with Ends(bootstrap, topic) as found:
        return found.by_partition()


def read_on(bootstrap: str, topic: str, latest: Latest, partitions: int = PARTITIONS) -> Latest:
    """Read what has come since the last call into `latest`."""
    asyncio.run(_read(bootstrap, topic, latest.positions, latest.take, partitions))
    return latest


def each(bootstrap: str, topic: str, take: Callable[[list[bytes]], None], partitions: int = PARTITIONS) -> None:
    """Hand over all values of a topic, partition by partition in order."""
    asyncio.run(_read(bootstrap, topic, {}, lambda records: take([record.value for record in records]), partitions))


def _consumer(bootstrap: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
        fetch_max_bytes=32 << 20,
    )


async def _read(
    bootstrap: str, topic: str, positions: dict[int, int], take: Callable[[list[Any]], None], partitions: int
) -> None:
    consumer = _consumer(bootstrap)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        for tp in tps:
            consumer.seek(tp, positions.get(tp.partition, 0))
        open_tps = {tp for tp in tps if positions.get(tp.partition, 0) < ends[tp]}
        while open_tps:
            for records in (await consumer.getmany(*open_tps, timeout_ms=500)).values():
                if records:
                    take(records)
            open_tps = {tp for tp in open_tps if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()
