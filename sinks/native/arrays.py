"""Columns out of Arrow arrays: the bytes that clickhouse-driver makes of the same values, without a Python object for any. Pure.

A text's length is put before it by joining two arrays of texts, and a LowCardinality is what Arrow calls a dictionary.
"""

import struct
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sinks.native.kinds import Few, Kind, Many, Number, Optional, Pairs, Text
from sinks.native.lists import few_head

_INDEXES: Final = ("uint8", "uint16", "uint32")
# Lengths of texts that are known by heart.
_USUAL_LENGTHS: Final = 1 << 14


def column(kind: Kind, values: Any) -> list[bytes]:
    """The values of a column. Raises TypeError for those that are not of this kind."""
    try:
        return _data(kind, values)
    except (pa.ArrowException, AttributeError) as error:
        raise TypeError(f"{values.type} is not what this column takes") from error


def _data(kind: Kind, values: Any) -> list[bytes]:
    match kind:
        case Number(arrow):
            return [_numbers(_complete(values), arrow)]
        case Text():
            return [_texts(_complete(values))]
        case Few(optional):
            return _few(values, optional=optional)
        case Optional(of):
            nulls = _numbers(values.is_null(), "uint8")
            return [nulls, *_data(of, values.fill_null("" if isinstance(of, Text) else 0))]
        case Many(of):
            ends, first, last = _ends(values)
            return [ends, *_data(of, values.values[first:last])]
        case Pairs(keys, inner):
            ends, first, last = _ends(values)
            return [ends, *_data(keys, values.keys[first:last]), *_data(inner, values.items[first:last])]


def _complete(values: Any) -> Any:
    if values.null_count:
        raise TypeError("null in a column that has none")
    return values


def _numbers(values: Any, arrow: str) -> bytes:
    if pa.types.is_floating(values.type) != (arrow == "float64") or pa.types.is_string(values.type):
        raise TypeError(f"{values.type} where {arrow} is needed")
    values = values.cast(arrow)
    width: int = values.type.bit_width // 8
    found: bytes = values.buffers()[1].slice(values.offset * width, len(values) * width).to_pybytes()
    return found


def _texts(values: Any) -> bytes:
    if not len(values):
        return b""
    lengths = pc.binary_length(values)
    joined = pc.binary_join_element_wise(_heads(lengths), values.cast(pa.binary()), b"")
    _, offsets, data = joined.buffers()
    first, last = (struct.unpack_from("<i", offsets, 4 * (joined.offset + n))[0] for n in (0, len(joined)))
    found: bytes = data.slice(first, last - first).to_pybytes()
    return found


def _heads(lengths: Any) -> Any:
    if pc.max(lengths).as_py() < _USUAL_LENGTHS:
        return _usual_heads().take(lengths)
    return pa.array(map(_varint, lengths.to_pylist()), pa.binary())


@cache
def _usual_heads() -> Any:
    return pa.array(map(_varint, range(_USUAL_LENGTHS)), pa.binary())


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _few(values: Any, *, optional: bool) -> list[bytes]:
    if not optional:
        _complete(values)
    if not len(values) and not optional:
        return []
    coded = values.dictionary_encode()
    texts, keys = coded.dictionary, coded.indices
    if optional:
        texts = pa.concat_arrays([pa.array([""], texts.type), texts])
        keys = pc.add(keys, 1).fill_null(0)
    size, head = few_head(len(texts))
    return [head, _texts(texts), struct.pack("<q", len(keys)), _numbers(keys, _INDEXES[size])]


def _ends(values: Any) -> tuple[bytes, int, int]:
    """Where the values of each row end, as numbers; and where those of the first begin and those of the last end."""
    offsets = _complete(values).offsets
    first, last = offsets[0].as_py(), offsets[-1].as_py()
    return _numbers(pc.subtract(offsets[1:], first), "uint64"), first, last
