"""Blocks are found in a stream of bytes without decoding their values."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded.native_blocks import Column, header_block, read_block, split_blocks, text, varint, with_types
from deploy.embedded.native_frames import FrameSource, Method, compress
from deploy.embedded.native_reader import ByteReader, ProtocolError, ended, reader_over
from deploy.embedded.native_types import UnsupportedTypeError, shape_of, split_arguments

TAIL = b"what follows"


def _column(name: str, type_name: str, values: bytes) -> bytes:
    return text(name) + text(type_name) + values


def _in_pieces(data: bytes, seed: int) -> ByteReader:
    chance = random.Random(seed)
    rest = [data]

    def more() -> bytes:
        piece, rest[0] = rest[0][: (size := chance.randint(1, 40))], rest[0][size:]
        return piece or ended()

    return ByteReader(more)


@given(texts=st.lists(st.binary(max_size=300), min_size=1, max_size=50), seed=st.integers(0, 1 << 30))
def test_a_block_of_strings_is_found_wherever_the_network_cuts_it(texts: list[bytes], seed: int) -> None:
    values = b"".join(varint(len(value)) + value for value in texts)
    nulls = bytes(len(texts))
    block = varint(2) + varint(len(texts)) + _column("s", "String", values)
    block += _column("n", "Nullable(String)", nulls + values)
    reader = _in_pieces(block + TAIL, seed)
    found = read_block(reader)
    assert (found.raw, found.rows) == (block, len(texts))
    assert found.columns == (Column("s", "String"), Column("n", "Nullable(String)"))
    assert reader.take(len(TAIL)) == TAIL


@given(texts=st.lists(st.binary(max_size=300), min_size=1, max_size=20), cut=st.integers(1, 10_000))
def test_a_block_that_ends_too_early_is_an_end_of_file(texts: list[bytes], cut: int) -> None:
    values = b"".join(varint(len(value)) + value for value in texts)
    block = varint(1) + varint(len(texts)) + _column("s", "String", values)
    with pytest.raises(EOFError):
        read_block(reader_over(block[: -min(cut, len(block))]))


@pytest.mark.parametrize(
    ("type_name", "rows", "values"),
    [
        ("UInt8", 3, bytes(3)),
        ("Decimal(18, 2)", 2, bytes(16)),
        ("FixedString(5)", 2, bytes(10)),
        ("Enum8('a)' = 1, 'b, c' = 2)", 2, bytes(2)),
        ("DateTime64(3, 'Europe/Berlin')", 1, bytes(8)),
        ("Tuple(a UInt8, `b c` String, Array(UInt16))", 1, b"\x00\x02xy" + bytes([1]) + bytes(7) + bytes(2)),
        ("Tuple(\n    kind UInt8,\n    at UInt16)", 2, bytes(6)),
        ("Map(String, UInt8)", 2, bytes([1, *bytes(7), 2, *bytes(7)]) + b"\x01a\x01b" + bytes(2)),
        ("Array(Array(UInt8))", 1, bytes([2, *bytes(7), 1, *bytes(7), 3, *bytes(7)]) + bytes(3)),
        ("SimpleAggregateFunction(sum, UInt64)", 1, bytes(8)),
        (
            "LowCardinality(Nullable(String))",
            3,
            bytes([1, *bytes(7)])
            + bytes([0, 6, *bytes(6)])
            + bytes([2, *bytes(7)])
            + b"\x00\x01a"
            + bytes([3, *bytes(10)]),
        ),
        ("Array(LowCardinality(String))", 1, bytes([1, *bytes(7)]) + bytes(8)),
        ("Point", 1, bytes(16)),
    ],
)
def test_the_size_of_each_kind_of_column(type_name: str, rows: int, values: bytes) -> None:
    block = varint(1) + varint(rows) + _column("v", type_name, values)
    assert list(split_blocks(block + block)) == [block, block]


@pytest.mark.parametrize("type_name", ["JSON", "AggregateFunction(uniq, String)", "Tuple()", "", "Array(", "Dynamic"])
def test_types_whose_size_only_the_engine_knows(type_name: str) -> None:
    with pytest.raises(UnsupportedTypeError):
        shape_of(type_name)
    with pytest.raises(ProtocolError):
        read_block(reader_over(varint(1) + varint(1) + _column("v", type_name, b"")))


def test_arguments_are_parted_outside_brackets_and_quotes() -> None:
    assert split_arguments("a, f(b, c), 'd, (', `e, \\` f`, \"g,\"") == ["a", "f(b, c)", "'d, ('", "`e, \\` f`", '"g,"']


def test_type_names_can_be_exchanged() -> None:
    block = varint(2) + varint(1) + _column("t", "DateTime", b"1234") + _column("s", "String", b"\x01x")
    zoned = varint(2) + varint(1) + _column("t", "DateTime('UTC')", b"1234") + _column("s", "String", b"\x01x")
    assert with_types(block, {0: "DateTime('UTC')"}) == zoned


def test_a_header_is_a_block_without_rows() -> None:
    columns = (Column("a", "UInt8"), Column("ü", "String"))
    found = read_block(reader_over(header_block(columns)))
    assert (found.columns, found.rows) == (columns, 0)


@given(data=st.binary(max_size=5000), method=st.sampled_from(list(Method)))
def test_frames_hold_what_was_put_in(data: bytes, method: Method) -> None:
    source = FrameSource(reader_over(compress(data + b"!", method)))
    assert source.more() == data + b"!"
    assert source.method is method


@pytest.mark.parametrize("method", list(Method))
def test_a_damaged_frame_is_noticed(method: Method) -> None:
    frame = bytearray(compress(b"x" * 100, method))
    frame[-1] ^= 1
    with pytest.raises(ProtocolError, match="checksum"):
        FrameSource(reader_over(bytes(frame))).more()


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ProtocolError):
        read_block(reader_over(varint(1 << 40) + varint(1)))
    with pytest.raises(ProtocolError):
        reader_over(b"\xff" * 11).varint()
    with pytest.raises(ProtocolError):
        reader_over(varint(1 << 40)).string()
