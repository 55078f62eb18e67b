"""Blocks and packets over one client's socket, compressed or not."""

import socket
import struct
import threading

from deploy.embedded import native_protocol as protocol
from deploy.embedded.native_blocks import Block, read_block
from deploy.embedded.native_frames import FrameSource, Method, compress
from deploy.embedded.native_reader import ByteReader, ProtocolError, socket_source

SEND_TIMEOUT_S = 300
_JOIN_BYTES = 1 << 16


class CancelledError(Exception):
    """The client sent Cancel, or the query was ended, before there was a whole answer."""


class Wire:
    """The two directions of a connection. Reads belong to one thread; whole packets are written under a lock."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_S, 0))
        self.peer = peer
        self.reader = ByteReader(socket_source(peer))
        self._frames = FrameSource(self.reader)
        self._unpacked = ByteReader(self._frames.more)
        self._writing = threading.Lock()
        self.compressed = False
        self.method: Method | None = None

    def read_data(self) -> tuple[str, Block]:
        """The next Data packet: its table's name and its block. CancelledError for a Cancel in its place."""
        kind = self.reader.varint()
        if kind == protocol.FromClient.CANCEL:
            raise CancelledError
        if kind != protocol.FromClient.DATA:
            raise ProtocolError(f"a packet of kind {kind} came where data were expected")
        return self.read_data_body()

    def read_data_body(self) -> tuple[str, Block]:
        """What follows the kind of a Data packet."""
        table = self.reader.text()
        source = self._unpacked if self.compressed else self.reader
        protocol.skip_block_info(source)
        return table, read_block(source)

    def send(self, *packets: bytes) -> None:
        """Send whole packets."""
        with self._writing:
            self.peer.sendall(b"".join(packets))

    def send_block(self, raw: bytes) -> None:
        """Send a block in `FORMAT Native` as a Data packet."""
        prefix = protocol.data_prefix()
        if self.compressed:
            body = compress(protocol.BLOCK_INFO + raw, self.method or self._frames.method)
            self.send(prefix, body)
        elif len(raw) < _JOIN_BYTES:
            self.send(prefix, protocol.BLOCK_INFO, raw)
        else:
            with self._writing:
                self.peer.sendall(prefix + protocol.BLOCK_INFO)
                self.peer.sendall(raw)

    def beat(self) -> None:
        """Send an empty Progress packet, unless something else is being sent or the client does not read."""
        if not self._writing.acquire(blocking=False):
            return
        try:
            packet = protocol.progress(protocol.Progress())
            sent = self.peer.send(packet, socket.MSG_DONTWAIT)
            if sent < len(packet):
                self.peer.sendall(packet[sent:])
        except OSError:
            # A full buffer, or a client that has gone: whoever sends next finds out.
            return
        finally:
            self._writing.release()
