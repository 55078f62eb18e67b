"""Reads Avro to the letter. Compiled from the schema into a function that runs over the bytes.

Libraries are lenient: they take a negative index of an enum or union as one from the end, cut an int to its lower bits, read on
over numbers of any length, and ignore the sizes that blocks state. Stages copy the bytes of records on, so what one library lets
pass another would stop at. After the Avro specification 1.12, "Binary Encoding"; a number has its shortest form, as all writers
write it.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from pipeline.codec import unrolled
from pipeline.codec.unrolled import Field
from pipeline.codec.varint import NotAvro, number

# From a position in the bytes to a value and the position behind it. Raises what NOT_AVRO lists, IndexError where the bytes end too
# early; only a value that is the last may seem to end behind the end of the bytes.
Read = unrolled.Read
INT_BITS: Final = 32
MOST_VALUES: Final = 10_000
MOST_DEPTH: Final = 32
# Values without bytes cost time and memory that nobody has to send anything for.
MOST_EMPTY: Final = 4
NOT_AVRO: Final = (ValueError, IndexError, struct.error)


class Unsuitable(ValueError):
    """The schema cannot be compiled: it refers to itself, is too large or too deep, or has a type that Avro does not know."""


def reader(parsed: Any, fields: Iterable[str] | None = None) -> Read:
    """Reads what a schema describes that `fastavro.parse_schema` has parsed; of a record, all or the named fields.

    Raises Unsuitable, or whatever a schema of odd parts leads to: KeyError, TypeError and their like.
    """
    return _Compiler(None if fields is None else frozenset(fields)).compile(parsed, 0).read


def _null(_: bytes, at: int) -> tuple[None, int]:
    return None, at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    if data[at] > 1:
        raise NotAvro
    return data[at] == 1, at + 1


def _long(data: bytes, at: int) -> tuple[int, int]:
    bits, at = number(data, at)
    return (bits >> 1) ^ -(bits & 1), at


def _int(data: bytes, at: int) -> tuple[int, int]:
    bits, at = number(data, at)
    if bits >> INT_BITS:
        raise NotAvro
    return (bits >> 1) ^ -(bits & 1), at


def _packed(layout: struct.Struct) -> Read:
    return lambda data, at: (layout.unpack_from(data, at)[0], at + layout.size)


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = number(data, at)
    if size & 1:
        raise NotAvro
    end = at + (size >> 1)
    return data[at:end], end


def _string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size < 0x80:
        at += 1
    else:
        size, at = number(data, at)
    if size & 1:
        raise NotAvro
    end = at + (size >> 1)
    return data[at:end].decode(), end


def _fixed(size: Any) -> Read:
    if not isinstance(size, int) or size < 0:
        raise Unsuitable("a fixed of no size")
    return lambda data, at: (data[at : at + size], at + size)


def _enum(symbols: list[str]) -> Read:
    end = 2 * len(symbols)

    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = number(data, at)
        if index & 1 or index >= end:
            raise NotAvro
        return symbols[index >> 1], at

    return read


def _nullable(inner: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at]
        if branch == 2:
            return inner(data, at + 1)
        if branch:
            raise NotAvro
        return None, at + 1

    return read


def _union(branches: list[Read]) -> Read:
    end = 2 * len(branches)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, at = number(data, at)
        if index & 1 or index >= end:
            raise NotAvro
        return branches[index >> 1](data, at)

    return read


def _blocks(item: Read, data: bytes, at: int, take: Callable[[Any], None]) -> int:
    """Items in blocks, each with its count; a negative count is followed by the block's size in bytes."""
    while True:
        count, at = number(data, at)
        if not count:
            return at
        end = None
        if count & 1:
            size, at = number(data, at)
            end = at + (size >> 1)
            if size & 1:
                raise NotAvro
        for _ in range((count + 1) >> 1):
            value, at = item(data, at)
            if at > len(data):
                raise NotAvro
            take(value)
        if end is not None and at != end:
            raise NotAvro


def _array(item: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        count = data[at]
        if not count or count & 0x81:
            return items, _blocks(item, data, at, items.append)
        at += 1
        for _ in range(count >> 1):
            value, at = item(data, at)
            items.append(value)
        return items, at + 1 if not data[at] else _blocks(item, data, at, items.append)

    return read


def _map(value: Read) -> Read:
    def pair(data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        key, at = _string(data, at)
        found, at = value(data, at)
        return (key, found), at

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        pairs: list[tuple[str, Any]] = []
        at = _blocks(pair, data, at, pairs.append)
        return dict(pairs), at

    return read


class _Type:
    """A compiled type: the fewest bytes of a value; `zero`, immutable, if the byte 00 alone is one; what of it is written out.

    A named one also knows how many values it has in all, and how many of them have no bytes.
    """

    __slots__ = ("empty", "least", "read", "template", "values", "zero")

    def __init__(self, read: Read, least: int, *zero: Any, template: str = "") -> None:
        self.read = read
        self.least = least
        self.zero = zero[0] if zero else None
        self.template = template or (unrolled.SHORT if zero else unrolled.ANY)
        self.values = 1
        self.empty = 0


_SIMPLE: Final = {
    "null": _Type(_null, 0),
    "boolean": _Type(_boolean, 1, False),
    "int": _Type(_int, 1, 0),
    "long": _Type(_long, 1, template=unrolled.LONG),
    "float": _Type(_packed(struct.Struct("<f")), 4),
    "double": _Type(_packed(struct.Struct("<d")), 8),
    "bytes": _Type(_bytes, 1, b""),
    "string": _Type(_string, 1, template=unrolled.STRING),
}


_NULLABLE: Final[dict[Read, str]] = {_string: unrolled.NULLABLE_STRING, _long: unrolled.NULLABLE_LONG}


def _name(field: Any) -> str:
    name = field["name"]
    if not isinstance(name, str):
        raise Unsuitable("a field whose name is no text")
    return name


class _Compiler:
    """Knows the names of a schema while it is compiled, and how much it has compiled."""

    def __init__(self, wanted: frozenset[str] | None) -> None:
        self._wanted = wanted
        self._named: dict[str, _Type] = {}
        self._values = 0
        self._empty = 0

    def compile(self, node: Any, depth: int) -> _Type:
        made = self._compiled(node, depth)
        self._empty += not made.least
        if self._empty > MOST_EMPTY:
            raise Unsuitable(f"more than {MOST_EMPTY} values without bytes")
        return made

    def _compiled(self, node: Any, depth: int) -> _Type:
        self._values += 1
        if self._values > MOST_VALUES or depth > MOST_DEPTH:
            raise Unsuitable(f"more than {MOST_VALUES} values or {MOST_DEPTH} levels")
        if isinstance(node, list):
            return self._union(node, depth)
        kind = node["type"] if isinstance(node, dict) else node
        if isinstance(kind, dict | list):
            return self._compiled(kind, depth + 1)
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        if not isinstance(node, dict):
            return self._reference(kind)
        if kind == "map":
            return _Type(_map(self.compile(node["values"], depth + 1).read), 1)
        return self._array(node, depth) if kind == "array" else self._definition(node, kind, depth)

    def _union(self, node: list[Any], depth: int) -> _Type:
        # Which branch it is takes a byte, so none of them is empty here.
        branches = [self._compiled(branch, depth + 1) for branch in node]
        if not branches:
            raise Unsuitable("an empty union")
        if node[0] != "null":
            return _Type(_union([branch.read for branch in branches]), 1)
        if len(node) == 2:
            template = _NULLABLE.get(branches[1].read, "")
            return _Type(_nullable(branches[1].read), 1, None, template=template)
        return _Type(_union([branch.read for branch in branches]), 1, None)

    def _array(self, node: dict[str, Any], depth: int) -> _Type:
        item = self.compile(node["items"], depth + 1)
        if not item.least:
            raise Unsuitable("an array of nothing: a few bytes could claim any number of items")
        return _Type(_array(item.read), 1)

    def _reference(self, name: Any) -> _Type:
        found = self._named.get(name) if isinstance(name, str) else None
        if found is None:
            raise Unsuitable("a type that is unknown, or one that holds itself")
        # As often as it is used, so that doubling over and over is found out.
        self._values += found.values
        self._empty += found.empty
        return found

    def _definition(self, node: dict[str, Any], kind: Any, depth: int) -> _Type:
        before, empty_before = self._values, self._empty
        if kind == "enum":
            symbols = list(node["symbols"])
            made = _Type(_enum(symbols), 1, symbols[0])
        elif kind == "fixed":
            made = _Type(_fixed(node["size"]), node["size"])
        elif kind == "record":
            fields = [(_name(field), self.compile(field["type"], depth + 1)) for field in node["fields"]]
            unrolling = [Field(name, of.read, of.zero, of.template) for name, of in fields]
            read = unrolled.record_reader(unrolling, None if depth else self._wanted)
            made = _Type(read, sum(of.least for _, of in fields))
        else:
            raise Unsuitable("a type that Avro does not know")
        made.values, made.empty = self._values - before, self._empty - empty_before
        self._named[node["name"]] = made
        return made
