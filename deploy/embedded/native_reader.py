"""Buffered reading of ClickHouse's binary primitives from any source that can give more bytes."""

import socket
from collections.abc import Callable, Iterator

RECEIVE_BYTES = 1 << 18
LONGEST_VARINT = 10
LARGEST_STRING = 1 << 30


class ProtocolError(Exception):
    """The peer sent bytes that are not the protocol; the connection cannot go on."""


class ByteReader:
    """Reads primitives out of a growing buffer; asks `more` for bytes when the buffer runs out.

    `more` returns at least one byte or raises (EOFError when the source has ended).
    """

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._data = bytearray()
        self._pos = 0
        self._marked = False

    @property
    def buffered(self) -> bytes:
        """What has been received and not read yet."""
        return bytes(self._data[self._pos :])

    def mark(self) -> None:
        """Start keeping what is read, for `since_mark`."""
        self._forget()
        self._marked = True

    def since_mark(self) -> bytes:
        """Everything read since `mark`, as it was received; ends the keeping."""
        kept = bytes(memoryview(self._data)[: self._pos])
        self._marked = False
        self._forget()
        return kept

    def byte(self) -> int:
        """One unsigned byte."""
        self._need(1)
        value = self._data[self._pos]
        self._pos += 1
        return value

    def varint(self) -> int:
        """An unsigned LEB128 number."""
        value = 0
        for shift in range(0, 7 * LONGEST_VARINT, 7):
            digit = self.byte()
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                return value
        raise ProtocolError("a number is longer than ten bytes")

    def unsigned(self, width: int) -> int:
        """A little-endian unsigned number of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        self._need(size)
        start = self._pos
        self._pos += size
        return bytes(memoryview(self._data)[start : self._pos])

    def string(self) -> bytes:
        """A string with its length in front."""
        size = self.varint()
        if size > LARGEST_STRING:
            raise ProtocolError(f"a string claims {size} bytes")
        return self.take(size)

    def text(self) -> str:
        """A string as text; bytes that are not UTF-8 are replaced."""
        return self.string().decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        self._need(size)
        self._pos += size

    def skip_strings(self, count: int) -> None:
        """Pass over `count` strings. The one loop of this package that runs once per value."""
        rest = iter(range(count))
        while not self._skip_short_strings(rest):
            self.skip(self.varint())
        self._need(0)

    def _skip_short_strings(self, rest: Iterator[int]) -> bool:
        """Pass over strings below 128 bytes while they are in the buffer; False in front of one that needs care."""
        data, pos = self._data, self._pos
        try:
            for _ in rest:
                size = data[pos]
                if size > 0x7F:
                    self._pos = pos
                    return False
                pos += size + 1
        except IndexError:
            self._pos = pos
            return False
        self._pos = pos
        return True

    def _need(self, size: int) -> None:
        if not self._marked and RECEIVE_BYTES < self._pos <= len(self._data):
            self._forget()
        end = self._pos + size
        while len(self._data) < end:
            self._data += self._more()

    def _forget(self) -> None:
        if self._marked:
            raise ProtocolError("a packet began inside another")
        del self._data[: self._pos]
        self._pos = 0


def socket_source(peer: socket.socket) -> Callable[[], bytes]:
    """A `more` for ByteReader over a connected socket."""

    def more() -> bytes:
        received = peer.recv(RECEIVE_BYTES)
        if not received:
            raise EOFError("the client closed the connection")
        return received

    return more


def ended() -> bytes:
    """A `more` for a ByteReader that holds everything already."""
    raise EOFError("the data ends too early")


def reader_over(data: bytes) -> ByteReader:
    """A ByteReader over bytes that are all there."""
    pieces = iter((data,)) if data else iter(())
    return ByteReader(lambda: next(pieces, b"") or ended())
