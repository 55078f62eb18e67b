"""The packets of ClickHouse's native TCP protocol, in the revision that this server speaks."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from deploy.embedded.native_blocks import text, varint
from deploy.embedded.native_reader import ByteReader, ProtocolError

# Settings come as text from this revision on, and blocks are those of `FORMAT Native` up to 54453: with it no value is
# ever decoded here.
REVISION = 54429
_INITIAL_QUERY = 1
_NO_QUERY = 0
_IMPORTANT = 1
# "Not an overflow row, no bucket": every block of the protocol has these two fields in front.
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
EMPTY_BLOCK = b"\x00\x00"


class FromClient(IntEnum):
    """Kinds of packets that a client sends."""

    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4


class FromServer(IntEnum):
    """Kinds of packets that a server sends."""

    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PROGRESS = 3
    PONG = 4
    END_OF_STREAM = 5
    PROFILE_INFO = 6


@dataclass(frozen=True, slots=True)
class Hello:
    """Who connects, and to which database ("" for the default one)."""

    client: str
    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of one query; an important one must be known to the server."""

    name: str
    value: str
    important: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with what comes with it; `sql` is bytes because a statement may hold any."""

    query_id: str
    settings: tuple[Setting, ...]
    compressed: bool
    sql: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows and bytes read and written since the last such packet."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


def read_hello(reader: ByteReader) -> Hello:
    """The body of a Hello packet."""
    client = reader.text()
    reader.varint()
    reader.varint()
    return Hello(client, reader.varint(), reader.text(), reader.text(), reader.text())


def read_query(reader: ByteReader) -> Query:
    """The body of a Query packet."""
    query_id = reader.text()
    _skip_client_info(reader)
    settings = []
    while name := reader.text():
        flags = reader.byte()
        settings.append(Setting(name, reader.text(), bool(flags & _IMPORTANT)))
    reader.varint()
    return Query(query_id, tuple(settings), bool(reader.varint()), reader.string())


def _skip_client_info(reader: ByteReader) -> None:
    kind = reader.byte()
    if kind == _NO_QUERY:
        return
    if kind != _INITIAL_QUERY:
        raise ProtocolError("this server takes no part in distributed queries")
    for _ in ("initial user", "initial query id", "initial address"):
        reader.string()
    reader.byte()
    for _ in ("system user", "host", "client's name"):
        reader.string()
    for _ in ("major version", "minor version", "revision"):
        reader.varint()
    reader.string()
    reader.varint()


def hello(version: tuple[int, int, int], name: str) -> bytes:
    """The server's Hello; the time zone is UTC."""
    major, minor, patch = version
    return b"".join(
        (
            varint(FromServer.HELLO),
            text("ClickHouse"),
            varint(major),
            varint(minor),
            varint(REVISION),
            text("UTC"),
            text(name),
            varint(patch),
        )
    )


def exception(code: int, message: str) -> bytes:
    """An Exception packet; the client shows `message`."""
    return b"".join(
        (
            varint(FromServer.EXCEPTION),
            struct.pack("<i", code),
            text("DB::Exception"),
            text(f"DB::Exception: {message}"),
            text(""),
            b"\x00",
        )
    )


def progress(made: Progress) -> bytes:
    """A Progress packet; how many rows there are in all is not known."""
    numbers = (made.read_rows, made.read_bytes, 0, made.written_rows, made.written_bytes)
    return varint(FromServer.PROGRESS) + b"".join(map(varint, numbers))


def profile_info(rows: int, blocks: int, size: int) -> bytes:
    """A ProfileInfo packet about the result; what a LIMIT cut off is not known."""
    return varint(FromServer.PROFILE_INFO) + varint(rows) + varint(blocks) + varint(size) + b"\x00\x00\x00"


def data_prefix() -> bytes:
    """What stands in front of a block's (perhaps compressed) bytes."""
    return varint(FromServer.DATA) + text("")


def pong() -> bytes:
    """The answer to a Ping."""
    return varint(FromServer.PONG)


def end_of_stream() -> bytes:
    """The end of a query's answer."""
    return varint(FromServer.END_OF_STREAM)


def skip_block_info(reader: ByteReader) -> None:
    """Pass over the fields in front of a block."""
    while field := reader.varint():
        if field not in (1, 2):
            raise ProtocolError(f"a block has a field that is not known: {field}")
        reader.skip(1 if field == 1 else 4)
