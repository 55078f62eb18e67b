"""Blocks of columns in ClickHouse's Native format, kept as the bytes they are."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.embedded.native_reader import ByteReader, ProtocolError, reader_over
from deploy.embedded.native_types import UnsupportedTypeError, shape_of

MOST_COLUMNS = 100_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and its type as ClickHouse writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Block:
    """Columns, the number of rows, and the block's bytes as `FORMAT Native` has them."""

    columns: tuple[Column, ...]
    rows: int
    raw: bytes


def read_block(reader: ByteReader) -> Block:
    """Read one block without looking into its values; ProtocolError for a type whose size is not known."""
    reader.mark()
    count, rows = reader.varint(), reader.varint()
    if count > MOST_COLUMNS:
        raise ProtocolError(f"a block claims {count} columns")
    columns = []
    for _ in range(count):
        column = Column(reader.text(), reader.text())
        columns.append(column)
        if rows:
            _skip_values(reader, column, rows)
    return Block(tuple(columns), rows, reader.since_mark())


def _skip_values(reader: ByteReader, column: Column, rows: int) -> None:
    try:
        shape = shape_of(column.type)
    except UnsupportedTypeError:
        raise ProtocolError(f"values of type {column.type} cannot be sent to this server") from None
    shape.skip_prefix(reader)
    shape.skip(reader, rows)


def with_types(raw: bytes, types: dict[int, str]) -> bytes:
    """The block with other type names for the columns of these numbers; their values stay as they are."""
    reader = reader_over(raw)
    count, rows = reader.varint(), reader.varint()
    parts = [varint(count), varint(rows)]
    for number in range(count):
        column = Column(reader.text(), reader.text())
        reader.mark()
        if rows:
            _skip_values(reader, column, rows)
        parts += [text(column.name), text(types.get(number, column.type)), reader.since_mark()]
    return b"".join(parts)


def split_blocks(data: bytes) -> Iterator[bytes]:
    """The blocks of a `FORMAT Native` text, one by one."""
    if not data:
        return
    reader = reader_over(data)
    left = len(data)
    while left:
        raw = read_block(reader).raw
        left -= len(raw)
        yield raw


def block_rows(raw: bytes) -> int:
    """How many rows the first block of `raw` has."""
    reader = reader_over(raw[:32])
    reader.varint()
    return reader.varint()


def header_block(columns: tuple[Column, ...]) -> bytes:
    """A block with these columns and no rows."""
    parts = [varint(len(columns)), varint(0)]
    for column in columns:
        parts += [text(column.name), text(column.type)]
    return b"".join(parts)


def varint(value: int) -> bytes:
    """An unsigned LEB128 number."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def text(value: str) -> bytes:
    """A string with its length in front, as UTF-8."""
    encoded = value.encode("utf-8", "surrogateescape")
    return varint(len(encoded)) + encoded
