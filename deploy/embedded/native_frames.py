"""ClickHouse's compressed frames: checksum, method, sizes, data."""

import struct
from collections.abc import Callable
from enum import IntEnum

import lz4.block
import zstd
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]

from deploy.embedded.native_reader import ByteReader, ProtocolError

FRAME_BYTES = 1 << 20
LARGEST_FRAME = 1 << 30
_CHECKSUM = struct.Struct("<QQ")
_LOW_HALF = (1 << 64) - 1
_HEADER = struct.Struct("<BII")
_ZSTD_LEVEL = 1


class Method(IntEnum):
    """How a frame's data is stored."""

    NONE = 0x02
    LZ4 = 0x82
    ZSTD = 0x90


def _pack(data: bytes, method: Method) -> bytes:
    if method is Method.LZ4:
        return bytes(lz4.block.compress(data, store_size=False))
    if method is Method.ZSTD:
        return bytes(zstd.compress(data, _ZSTD_LEVEL))
    return data


def compress(data: bytes, method: Method) -> bytes:
    """`data` as frames of at most FRAME_BYTES each (before compression)."""
    frames = []
    for start in range(0, len(data), FRAME_BYTES):
        piece = data[start : start + FRAME_BYTES]
        packed = _pack(piece, method)
        frame = _HEADER.pack(method, len(packed) + _HEADER.size, len(piece)) + packed
        frames += [_checksum(frame), frame]
    return b"".join(frames)


def _checksum(frame: bytes) -> bytes:
    value = int(CityHash128(frame))
    return _CHECKSUM.pack(value >> 64, value & _LOW_HALF)


class FrameSource:
    """Reads frames from `wire`; its `more` feeds a ByteReader with what they hold."""

    def __init__(self, wire: ByteReader) -> None:
        self._wire = wire
        self.method = Method.LZ4

    def more(self) -> bytes:
        """The data of the next frame that has some; raises ProtocolError for a damaged one."""
        while True:
            data = self._frame()
            if data:
                return data

    def _frame(self) -> bytes:
        checksum = self._wire.take(_CHECKSUM.size)
        header = self._wire.take(_HEADER.size)
        kind, size, plain_size = _HEADER.unpack(header)
        if not _HEADER.size <= size <= LARGEST_FRAME or plain_size > LARGEST_FRAME:
            raise ProtocolError("a compressed frame has an impossible size")
        packed = self._wire.take(size - _HEADER.size)
        if _checksum(header + packed) != checksum:
            raise ProtocolError("a compressed frame does not match its checksum")
        try:
            self.method = Method(kind)
        except ValueError:
            raise ProtocolError(f"a frame is compressed in a way that is not known: {kind:#x}") from None
        return _unpack(packed, self.method, plain_size)


def _unpack(packed: bytes, method: Method, size: int) -> bytes:
    unpackers: dict[Method, Callable[[], bytes]] = {
        Method.LZ4: lambda: lz4.block.decompress(packed, uncompressed_size=size),
        Method.ZSTD: lambda: zstd.decompress(packed),
        Method.NONE: lambda: packed,
    }
    try:
        data = unpackers[method]()
    except (lz4.block.LZ4BlockError, zstd.Error) as error:
        raise ProtocolError(f"a compressed frame cannot be read: {error}") from None
    if len(data) != size:
        raise ProtocolError("a compressed frame holds another number of bytes than it says")
    return data
