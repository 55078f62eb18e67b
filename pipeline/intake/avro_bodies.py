"""Avro bodies: one record in the Confluent wire format, or an object container file with its own schema. Pure.

A container's blocks do not say where a record ends, so one that is no record, or a larger one than an event may be, makes the
whole unreadable; what a record means is judged for each by itself. Source: Apache Avro 1.12 specification, object container files.
"""

import json
import zlib
from collections.abc import Iterator
from typing import Final

from pipeline.codec import HEAD_BYTES, Decoder, Record
from pipeline.codec.strict import NOT_AVRO, Read, reader
from pipeline.codec.varint import number
from pipeline.events import Reason, Rejection
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents

CONTAINER: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MOST_UNPACKED: Final = 8 << 20
MOST_HEADER: Final = 128 << 10
# A record is read from so many bytes at first, because a copy of as many as it may have would cost more than reading it.
USUAL_BYTES: Final = 2048
_NO_HEAD: Final = bytes(HEAD_BYTES)
_metadata: Final = reader({"type": "map", "values": "bytes"})


def is_container(body: bytes) -> bool:
    """Whether the body says that it is an object container file."""
    return body.startswith(CONTAINER)


def records(body: bytes, decoder: Decoder, most: int, most_bytes: int) -> Iterator[Record]:
    """The records of a container, as the newest schema has them, each of `most_bytes` at most.

    Raises BodyUnreadable and TooManyEvents, also after the first records: a container is taken as a whole.
    """
    try:
        metadata, at = _metadata(body[:MOST_HEADER], len(CONTAINER))
        schema = json.loads(metadata["avro.schema"])
        packed = _packed(metadata.get("avro.codec", b"null"))
    except (*NOT_AVRO, KeyError, ValueError, RecursionError):
        raise _unreadable("a header with a schema") from None
    writer = decoder.writer(schema)
    if isinstance(writer, Rejection):
        raise BodyUnreadable(writer)
    for count, data in _blocks(body, at, packed):
        at, most = 0, most - count
        if most < 0:
            raise TooManyEvents
        for _ in range(count):
            found, size = _read(writer.strictly, data, at, most_bytes)
            record = writer.as_ours(found, _NO_HEAD + data[at : at + size])
            if isinstance(record, Rejection):
                raise BodyUnreadable(record)
            yield record
            at += size
        if at != len(data):
            raise _unreadable("a block that ends with its last record")


def _blocks(body: bytes, at: int, packed: bool) -> Iterator[tuple[int, bytes]]:
    sync, at, unpacked = body[at : at + SYNC_BYTES], at + SYNC_BYTES, 0
    if len(sync) != SYNC_BYTES:
        raise _unreadable("a header that ends with its mark")
    while at < len(body):
        try:
            count, at = number(body, at)
            size, at = number(body, at)
        except NOT_AVRO:
            raise _unreadable("a block") from None
        if not count or count & 1 or size & 1:
            raise _unreadable("a block of some records")
        count, size = count >> 1, size >> 1
        data, end = body[at : at + size], at + size
        if body[end : end + SYNC_BYTES] != sync:
            raise _unreadable("a block with its mark at its end")
        data = _unpacked(data, MOST_UNPACKED - unpacked) if packed else data
        unpacked += len(data)
        yield count, data
        at = end + SYNC_BYTES


def _packed(codec: bytes) -> bool:
    if codec not in (b"null", b"deflate"):
        raise ValueError("another codec")
    return codec == b"deflate"


def _unpacked(data: bytes, most: int) -> bytes:
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(data, most + 1)  # no bound at all would be 0
    except zlib.error:
        raise _unreadable("deflated data") from None
    if len(plain) > most:
        raise _unreadable(f"at most {MOST_UNPACKED} bytes in all")
    if not unpacking.eof:  # some libraries leave a part of a checksum behind the end
        raise _unreadable("deflated data")
    return plain


def _read(read: Read, data: bytes, at: int, most: int) -> tuple[Record, int]:
    """The record that begins there, to the letter, and its size."""
    for window in (min(USUAL_BYTES, most), most):
        part = data[at : at + window]
        try:
            record, size = read(part, 0)
        except NOT_AVRO:
            continue
        if size <= len(part):
            return record, size
    if len(data) - at > most:
        raise BodyUnreadable(Rejection(Reason.TOO_LARGE, "", f"records of {most} bytes at most", "a larger one"))
    raise _unreadable("records of the schema")


def _unreadable(expected: str) -> BodyUnreadable:
    return BodyUnreadable(Rejection(Reason.DECODE, "", f"an Avro file: {expected}", "another"))
