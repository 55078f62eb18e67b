"""Asks a broker for metadata, in plain bytes, so that readiness depends on no client library."""

import socket
import struct

from deploy.embedded.ports import HOST

_METADATA = 3
_VERSION = 1
_CLIENT = b"touchstream-probe"
# A header (key, version, correlation, client) and an empty list of topics.
_REQUEST = struct.pack(f">hhih{len(_CLIENT)}si", _METADATA, _VERSION, 1, len(_CLIENT), _CLIENT, 0)
_LARGEST_ANSWER = 1024 * 1024


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether a broker on `port` of 127.0.0.1 answers a metadata request and knows at least one broker."""
    try:
        with socket.create_connection((HOST, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            (size,) = struct.unpack(">i", _read(connection, 4))
            if not 8 <= size <= _LARGEST_ANSWER:
                return False
            correlation, brokers = struct.unpack_from(">ii", _read(connection, size))
            return bool(correlation == 1 and brokers > 0)
    except OSError:
        return False


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        if not piece:
            raise ConnectionResetError("the broker closed the connection")
        received += piece
    return received
