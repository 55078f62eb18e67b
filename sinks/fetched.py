"""What the sink fetches, record by record, at a tenth of what kafka-python's own reading costs.

kafka-python reads the records of a batch in Python, some seven microseconds each; aiokafka has a compiled reader for the same
format. Which batches count, and how far the consumer has come by them, is decided as kafka-python does it.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel

# The only format in which there are transactions, and so the only one that our topics can have.
FORMAT: Final = 2


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """A record as the sink takes it; `timestamp` in milliseconds since epoch, UTC."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """In place of kafka-python's PartitionRecords: what one fetch has brought of one partition, to be taken by whole batches."""

    def _unpack_records(self, tp: TopicPartition, records: Any, *_deserializers: Any) -> Iterator[Fetched]:
        while (batch := records.next_batch()) is not None:
            if batch.magic != FORMAT or (self.check_crcs and not batch.validate_crc()):
                raise CorruptRecordError(
                    f"{tp}: the batch at offset {batch.base_offset} is damaged or of an old format"
                )
            self.leader_epoch = batch.leader_epoch
            self.records_read += batch.records_count
            self.bytes_read += batch.size_in_bytes
            found = [] if self._is_void(batch) else _fetched(tp, batch)
            self.next_fetch_offset = batch.next_offset
            yield from found
        self.drain()

    def _is_void(self, batch: Any) -> bool:
        """It holds no records for us: the end of a transaction, or a part of one that was aborted."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _fetched(tp: TopicPartition, batch: Any) -> list[Fetched]:
    topic, partition = tp
    return [
        Fetched(topic, partition, one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
        for one in DefaultRecordBatch(bytes(batch._buffer))
    ]
