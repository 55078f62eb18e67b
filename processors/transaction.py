"""One Kafka transaction: outputs, changelog and source offsets, all of them or none."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from pipeline import crash
from pipeline.events import Out
from pipeline.partitions import partition_of

MAX_BATCH_BYTES = 1 << 20
MAX_REQUEST_BYTES = 20 << 20
TRANSACTION_TIMEOUT_MS = 15_000


@dataclass(frozen=True, slots=True)
class Names:
    """What a stage calls its things on Kafka: itself, broker, group, prefix of topics, changelog (with prefix), partitions.

    `keyed_alike`: its outputs have the keys of its sources, and as many partitions, so each lies in the partition of its source.
    """

    stage: str
    bootstrap: str
    group: str
    prefix: str
    changelog: str
    partitions: int
    keyed_alike: bool = False


class Transaction:
    """The transactional producer of one partition of one stage. A new one fences its forerunner."""

    def __init__(self, names: Names, partition: int) -> None:
        self._names = names
        self._partition = partition
        self._producer = AIOKafkaProducer(
            bootstrap_servers=names.bootstrap,
            transactional_id=f"{names.group}-{partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            compression_type="zstd",
            linger_ms=0,
        )

    async def open(self) -> None:
        """Fence the former owner; returns when its last transaction has ended."""
        await self._producer.start()

    async def close(self, timeout_s: float) -> None:
        """Let go within `timeout_s`; whatever was not committed is aborted by whoever comes next."""
        await asyncio.wait_for(self._producer.stop(), timeout_s)

    @property
    def fenced(self) -> bool:
        """Another owner of the partition has begun."""
        manager = self._producer._txn_manager
        return manager is not None and bool(manager.is_fatal_error())

    async def write(
        self, outs: Iterable[Out], changes: Iterable[tuple[bytes, bytes | None]], offsets: dict[TopicPartition, int]
    ) -> int:
        """Write everything and commit. Returns the changelog's next offset after it.

        When it raises, nothing of it may be taken for written and this producer is used up.
        """
        producer, names = self._producer, self._names
        by_partition: dict[tuple[str, int], list[Out]] = {}
        for out in outs:
            alike = names.keyed_alike or not out.key
            where = self._partition if alike else partition_of(out.key or b"", names.partitions)
            by_partition.setdefault((names.prefix + out.topic, where), []).append(out)
        by_partition[names.changelog, self._partition] = [Out("", key, value) for key, value in changes]
        await producer.begin_transaction()
        sent: list[Any] = []
        for (topic, partition), records in by_partition.items():
            sent += await self._send(topic, partition, records)
            crash.here(names.stage, "producing")
        written = await asyncio.gather(*sent)
        crash.here(names.stage, "before_offsets")
        await producer.send_offsets_to_transaction(
            {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}, names.group
        )
        crash.here(names.stage, "before_commit")
        await producer.commit_transaction()
        crash.here(names.stage, "committed")
        return 1 + max(int(one.offset) for one in written if one.topic == names.changelog)

    async def _send(self, topic: str, partition: int, records: list[Out]) -> list[Any]:
        producer, sent = self._producer, []
        batch = producer.create_batch()
        for out in records:
            if batch.append(key=out.key, value=out.value, timestamp=None, headers=list(out.headers)) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=out.key, value=out.value, timestamp=None, headers=list(out.headers))
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        return sent
