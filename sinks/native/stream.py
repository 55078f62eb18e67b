"""A block on its way to ClickHouse, as clickhouse-driver sends one, but for how its columns are written."""

import struct
from collections.abc import Sequence
from typing import Any

from clickhouse_driver import defines
from clickhouse_driver.block import BlockInfo
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.protocol import ClientPacketTypes
from clickhouse_driver.varint import write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint8

from sinks.native import lists
from sinks.native.kinds import Kind, kind_of


def send(connection: Any, columns: Sequence[tuple[str, str]], data: Sequence[Any]) -> int:
    """Send one block; the number of its rows. `columns` are names and types, `data` their values as lists or arrays of Arrow.

    Raises ValueError, TypeError, AttributeError or OverflowError for values that are not of their column's type; then a part of
    the block has been written.
    """
    revision, rows = connection.server_info.used_revision, len(data[0])
    write_varint(ClientPacketTypes.DATA, connection.fout)
    if revision >= defines.DBMS_MIN_REVISION_WITH_TEMPORARY_TABLES:
        write_binary_str("", connection.fout)
    out = connection.block_out.fout
    if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
        BlockInfo().write(out)
    write_varint(len(columns), out)
    write_varint(rows, out)
    for (name, kind), values in zip(columns, data, strict=True):
        if len(values) != rows:
            raise ValueError("columns of different lengths")
        write_binary_str(name, out)
        write_binary_str(kind, out)
        if revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION:
            write_binary_uint8(0, out)
        _write((connection.context, name, kind), values, out)
    connection.block_out.finalize()
    return rows


def _write(column: tuple[Any, str, str], values: Any, out: Any) -> None:
    kind = kind_of(column[2])
    if isinstance(values, list):
        _write_list(column, kind, values, out)
        return
    from pipeline.codec.arrow import listed  # there are no arrays where Arrow is not installed
    from sinks.native import arrays

    if kind is None:
        write_column(*column, listed(values), out)
        return
    out.write(lists.prefix(kind))
    for part in arrays.column(kind, values):
        out.write(part)


def _write_list(column: tuple[Any, str, str], kind: Kind | None, values: list[Any], out: Any) -> None:
    if kind is None:
        write_column(*column, values, out)
        return
    out.write(lists.prefix(kind))
    try:
        lists.write(kind, values, out)
    except struct.error:
        raise TypeError("a value of another type than its column") from None
