"""What the sink reads of fetched bytes, against kafka-python's own reading of the same."""

import struct
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from sinks.fetched import FetchedRecords

TP = TopicPartition("touchpoints.resolved.v1", 3)
PRODUCERS = (7, 8)
CRC_AT, ATTRIBUTES_AT, CONTROL = 17, 21, 0x20
Header = tuple[str, bytes | None]


@dataclass(frozen=True)
class Aborted:
    """What the broker says of an aborted transaction in an answer."""

    producer_id: int
    first_offset: int


@dataclass(frozen=True)
class Batch:
    """A batch of a log: its producer (None: no transaction), and its records, or for a marker whether it aborts."""

    producer: int | None
    codec: int
    records: list[tuple[bytes | None, bytes | None, list[Header]]]
    aborts: bool | None = None


def written(batch: Batch, offset: int) -> bytes:
    """The batch as the broker sends it."""
    builder = DefaultRecordBatchBuilder(2, batch.codec, batch.producer is not None, batch.producer or -1, 0, 0, 1 << 20)
    for number, (key, value, headers) in enumerate(batch.records):
        builder.append(number, 1_700_000_000_000 + number, key, value, headers)
    raw = bytearray(builder.build())
    raw[:8] = struct.pack(">q", offset)
    if batch.aborts is not None:
        attributes = struct.unpack_from(">h", raw, ATTRIBUTES_AT)[0] | CONTROL
        struct.pack_into(">h", raw, ATTRIBUTES_AT, attributes)
        struct.pack_into(">I", raw, CRC_AT, calc_crc32c(raw[ATTRIBUTES_AT:]))
    return bytes(raw)


def log(steps: list[Batch]) -> tuple[bytes, list[Aborted], int]:
    """The log's bytes, its aborted transactions, and its end; every transaction's end is a marker."""
    raw, offset = b"", 0
    begun: dict[int, int] = {}
    aborted: list[Aborted] = []
    for step in steps:
        if step.aborts is not None and step.producer is not None:
            first = begun.pop(step.producer, None)
            if step.aborts and first is not None:
                aborted.append(Aborted(step.producer, first))
        elif step.producer is not None:
            begun.setdefault(step.producer, offset)
        raw += written(step, offset)
        offset += len(step.records)
    return raw, aborted, offset


def read(kind: type[Any], raw: bytes, aborted: list[Aborted], begin: int) -> tuple[list[Any], int, int]:
    """The records, the next offset to fetch, and how many records were read."""
    found = kind(
        begin,
        TP,
        MemoryRecords(raw),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=list(aborted),
    )
    taken = found.take()
    assert not found
    records = [(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in taken]
    return records, found.next_fetch_offset, len(taken)


payloads = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=5), payloads), max_size=2)
data = st.builds(
    Batch,
    st.sampled_from((None, *PRODUCERS)),
    st.sampled_from((0, 1, 3, 4)),
    st.lists(st.tuples(payloads, payloads, headers), min_size=1, max_size=6),
)
markers = st.builds(
    lambda producer, aborts: Batch(producer, 0, [(struct.pack(">hh", 0, 0 if aborts else 1), b"", [])], aborts),
    st.sampled_from(PRODUCERS),
    st.booleans(),
)


@given(st.lists(data | markers, max_size=8), st.integers(0, 12))
def test_the_same_records_and_the_same_next_offset(steps: list[Batch], begin: int) -> None:
    raw, aborted, end = log(steps)
    begin = min(begin, end)
    ours = read(FetchedRecords, raw, aborted, begin)
    assert ours == read(Fetcher.PartitionRecords, raw, aborted, begin)
    assert not steps or ours[1] == end


@given(st.lists(data, min_size=1, max_size=3), st.data())
def test_a_damaged_batch_is_refused(steps: list[Batch], drawn: st.DataObject) -> None:
    raw, aborted, _ = log(steps)
    damaged = bytearray(raw)
    damaged[drawn.draw(st.integers(ATTRIBUTES_AT, len(written(steps[0], 0)) - 1))] ^= 0xFF
    with pytest.raises(CorruptRecordError):
        read(FetchedRecords, bytes(damaged), aborted, 0)
