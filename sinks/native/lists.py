"""Columns out of lists: the same bytes that clickhouse-driver makes of them, in fewer steps. Pure.

`out` is one of the driver's writers: it has a compiled loop for texts.
"""

import struct
from itertools import accumulate, chain, islice
from typing import Any, Final

from sinks.native.kinds import Few, Kind, Many, Number, Optional, Pairs, Text

# Keys version 1; then for every block of a LowCardinality: it brings its own texts, and needs no other.
FEW_PREFIX: Final = struct.pack("<q", 1)
FEW_FLAGS: Final = 1 << 9 | 1 << 10
_CODES: Final = {"uint8": "B", "int32": "i", "int64": "q", "uint64": "Q", "float64": "d"}


def prefix(kind: Kind) -> bytes:
    """What stands before the values of a column."""
    match kind:
        case Few():
            return FEW_PREFIX
        case Many(of) | Optional(of):
            return prefix(of)
        case Pairs(keys, values):
            return prefix(keys) + prefix(values)
        case _:
            return b""


def few_head(texts: int) -> tuple[int, bytes]:
    """How wide the indexes of so many texts are, as a power of two of bytes, and what stands before the texts."""
    size = 0 if texts < 1 << 8 else 1 if texts < 1 << 16 else 2
    return size, struct.pack("<qq", FEW_FLAGS | size, texts)


def write(kind: Kind, values: list[Any], out: Any) -> None:
    """Write the values. Raises struct.error, TypeError, ValueError or AttributeError for those that are not of this kind."""
    match kind:
        case Number(arrow):
            out.write(struct.pack(f"<{len(values)}{_CODES[arrow]}", *values))
        case Text():
            out.write_strings(values, encoding="utf-8")
        case Few(optional):
            _write_few(values, optional, out)
        case Optional(of):
            _write_optional(of, values, out)
        case Many(of):
            _write_ends(values, out)
            write(of, list(chain.from_iterable(values)), out)
        case Pairs(keys, inner):
            _write_ends(values, out)
            write(keys, list(chain.from_iterable(values)), out)
            write(inner, [value for one in values for value in one.values()], out)


def _write_optional(of: Kind, values: list[Any], out: Any) -> None:
    missing = values.count(None)
    nothing: Any = "" if isinstance(of, Text) else 0
    if missing == len(values):
        out.write(b"\1" * missing)
        values = [nothing] * missing
    elif missing:
        out.write(bytes([value is None for value in values]))
        values = [nothing if value is None else value for value in values]
    else:
        out.write(bytes(len(values)))
    write(of, values, out)


class _Numbers(dict[Any, int]):
    """A number for every text in the order of their first appearance."""

    def __missing__(self, text: Any) -> int:
        number = self[text] = len(self)
        return number


def _write_few(values: list[Any], optional: bool, out: Any) -> None:
    numbers = _Numbers({None: 0} if optional else ())
    keys = list(map(numbers.__getitem__, values))
    if not numbers:
        return
    texts = ["", *islice(numbers, 1, None)] if optional else list(numbers)
    size, head = few_head(len(texts))
    out.write(head)
    out.write_strings(texts, encoding="utf-8")
    out.write(struct.pack("<q", len(keys)))
    out.write(struct.pack(f"<{len(keys)}{'BHI'[size]}", *keys) if size else bytes(keys))


def _write_ends(values: list[Any], out: Any) -> None:
    out.write(struct.pack(f"<{len(values)}Q", *accumulate(map(len, values))))
