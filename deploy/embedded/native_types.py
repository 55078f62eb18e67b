"""How many bytes a column takes in ClickHouse's Native format: enough to find the end of a block without decoding it."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

from deploy.embedded.native_reader import ByteReader, ProtocolError

_WIDTHS = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
_GEO = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
_DECIMAL_WIDTHS = ((9, 4), (18, 8), (38, 16), (76, 32))
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.|\"\")*\"")
_HEAD = re.compile(r"(\w+)\s*(?:\((.*)\))?", re.DOTALL)
_DEEPEST = 64
_KEY_WIDTH_MASK = 0xFF
_GLOBAL_DICTIONARY = 1 << 8
_OWN_KEYS = 1 << 9


class UnsupportedTypeError(ValueError):
    """A column's type whose size in bytes cannot be told without the engine."""


class Shape(ABC):
    """The layout of one column; `rows` is how many values it holds."""

    def skip_prefix(self, reader: ByteReader) -> None:  # noqa: B027
        """Pass over what stands in front of the values (only LowCardinality has something there)."""

    @abstractmethod
    def skip(self, reader: ByteReader, rows: int) -> None:
        """Pass over the values."""


@dataclass(frozen=True, slots=True)
class Fixed(Shape):
    """Values of `width` bytes each."""

    width: int

    def skip(self, reader: ByteReader, rows: int) -> None:
        reader.skip(self.width * rows)


@dataclass(frozen=True, slots=True)
class Strings(Shape):
    """Values with their length in front."""

    def skip(self, reader: ByteReader, rows: int) -> None:
        reader.skip_strings(rows)


@dataclass(frozen=True, slots=True)
class Optional(Shape):
    """A byte per value that says whether it is NULL, then the values."""

    inner: Shape

    def skip_prefix(self, reader: ByteReader) -> None:
        self.inner.skip_prefix(reader)

    def skip(self, reader: ByteReader, rows: int) -> None:
        reader.skip(rows)
        self.inner.skip(reader, rows)


@dataclass(frozen=True, slots=True)
class Sequence(Shape):
    """The end of every array within the elements, then the elements; a Map is an array of pairs."""

    inner: Shape

    def skip_prefix(self, reader: ByteReader) -> None:
        self.inner.skip_prefix(reader)

    def skip(self, reader: ByteReader, rows: int) -> None:
        if rows == 0:
            return
        reader.skip(8 * (rows - 1))
        self.inner.skip(reader, reader.unsigned(8))


@dataclass(frozen=True, slots=True)
class Together(Shape):
    """The columns of a Tuple, one after another."""

    parts: tuple[Shape, ...]

    def skip_prefix(self, reader: ByteReader) -> None:
        for part in self.parts:
            part.skip_prefix(reader)

    def skip(self, reader: ByteReader, rows: int) -> None:
        for part in self.parts:
            part.skip(reader, rows)


@dataclass(frozen=True, slots=True)
class Dictionary(Shape):
    """LowCardinality: in parts, each with its distinct values and then the number of one of them per row."""

    inner: Shape

    def skip_prefix(self, reader: ByteReader) -> None:
        if reader.unsigned(8) != 1:
            raise ProtocolError("a LowCardinality column in a version that is not known")

    def skip(self, reader: ByteReader, rows: int) -> None:
        while rows > 0:
            kind = reader.unsigned(8)
            if kind & _GLOBAL_DICTIONARY or kind & _KEY_WIDTH_MASK > 3:
                raise ProtocolError("a LowCardinality column with a dictionary of another block")
            if kind & _OWN_KEYS:
                self.inner.skip(reader, reader.unsigned(8))
            part = reader.unsigned(8)
            if not 0 < part <= rows:
                raise ProtocolError("a LowCardinality column with another number of rows than its block")
            reader.skip(part << (kind & _KEY_WIDTH_MASK))
            rows -= part


@lru_cache(maxsize=4096)
def shape_of(type_name: str) -> Shape:
    """The layout of a ClickHouse type; UnsupportedTypeError when it has none of its own (JSON, AggregateFunction)."""
    return _shape(type_name, 0)


def _shape(type_name: str, depth: int) -> Shape:
    found = _HEAD.fullmatch(type_name.strip())
    if found is None or depth > _DEEPEST:
        raise UnsupportedTypeError(type_name)
    name, inside = found.group(1), found.group(2)
    if name in _WIDTHS:
        return Fixed(_WIDTHS[name])
    if name == "String":
        return Strings()
    if name in _GEO:
        return _shape(_GEO[name], depth + 1)
    if name.startswith("Interval"):
        return Fixed(8)
    if inside is None or not inside.strip():
        raise UnsupportedTypeError(type_name)
    return _parametric(name, split_arguments(inside), depth + 1)


def _parametric(name: str, arguments: list[str], depth: int) -> Shape:
    match name:
        case "FixedString":
            return Fixed(int(arguments[0]))
        case "Decimal":
            return Fixed(_decimal_width(int(arguments[0])))
        case "Nullable":
            return Optional(_shape(arguments[0], depth))
        case "Array":
            return Sequence(_shape(arguments[0], depth))
        case "Map":
            return Sequence(Together(tuple(_shape(part, depth) for part in arguments)))
        case "Tuple":
            return Together(tuple(_shape(_without_name(part), depth) for part in arguments))
        case "Nested":
            return Sequence(Together(tuple(_shape(_without_name(part), depth) for part in arguments)))
        case "SimpleAggregateFunction":
            return _shape(arguments[-1], depth)
        case "LowCardinality":
            inner = _shape(arguments[0], depth)
            return Dictionary(inner.inner if isinstance(inner, Optional) else inner)
        case _:
            raise UnsupportedTypeError(name)


def _decimal_width(precision: int) -> int:
    return next(width for digits, width in _DECIMAL_WIDTHS if precision <= digits)


def split_arguments(inside: str) -> list[str]:
    """The parts between the commas of `inside` that are in no brackets and in no quotes, without outer blanks."""
    parts, start, depth, at = [], 0, 0, 0
    while at < len(inside):
        character = inside[at]
        if character in "'`\"" and (quoted := _QUOTED.match(inside, at)):
            at = quoted.end()
            continue
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(inside[start:at].strip())
            start = at + 1
        at += 1
    return [*parts, inside[start:].strip()]


def _without_name(element: str) -> str:
    """`UInt8` of `UInt8`, of `x UInt8` and of a name in quotes with its type."""
    quoted = _QUOTED.match(element)
    if quoted:
        return element[quoted.end() :].strip()
    head, _, rest = element.partition(" ")
    return element if "(" in head or not rest.strip() else rest.strip()
