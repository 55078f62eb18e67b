"""A partition's state, read back from its changelog; and the marker that says up to where the sources are applied in it."""

from typing import Final, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import crash
from pipeline.meter import Meter
from processors.transaction import Names

# A state key never begins with a zero byte. One marker goes into every transaction: a batch may change no state at all.
MARKER: Final = b"\0applied"
FETCH_BYTES: Final = 8 << 20
_marks = msgspec.msgpack.Decoder(dict[str, int])


class Restorable(Protocol):
    """State that can be read back."""

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one record; a later one of the same key replaces it, None removes it."""

    def restored(self) -> None:
        """All records are in."""


def marker(applied: dict[str, int]) -> tuple[bytes, bytes]:
    """The marker's record: by source topic the next offset to apply."""
    return MARKER, msgspec.msgpack.encode(applied)


async def restore(names: Names, partition: int, state: Restorable, meter: Meter) -> tuple[dict[str, int], int]:
    """Read the changelog's partition to its end (committed records only) into `state`.

    Returns the next offset to apply by source topic, and how many records were read. Raises KafkaError.
    """
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
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        applied: dict[str, int] = {}
        read = 0
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                read += len(records)
                meter.restoring(partition, read)
                crash.here(names.stage, "restoring")
                for record in records:
                    if record.key == MARKER:
                        applied = _marks.decode(record.value)
                    else:
                        state.restore(record.key, record.value)
        state.restored()
        return applied, read
    finally:
        await consumer.stop()
