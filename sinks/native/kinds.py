"""What a column of ClickHouse is made of, as far as its tables here go. Pure."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    """Texts, each behind its length."""


@dataclass(frozen=True, slots=True)
class Number:
    """Numbers of one width, little-endian; `arrow` is Arrow's name of them."""

    arrow: str


@dataclass(frozen=True, slots=True)
class Few:
    """LowCardinality: the different texts, and for each row which; the first stands for null where there may be one."""

    optional: bool


@dataclass(frozen=True, slots=True)
class Optional:
    """Which rows are null, and then the values, with anything where there is none."""

    of: "Kind"


@dataclass(frozen=True, slots=True)
class Many:
    """Where the values of each row end, and then those of all rows one behind the other."""

    of: "Kind"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map: where those of each row end, all keys, all values."""

    keys: "Kind"
    values: "Kind"


Kind = Text | Number | Few | Optional | Many | Pairs
_NUMBERS: Final = {
    "UInt8": "uint8",
    "Int32": "int32",
    "Int64": "int64",
    "UInt64": "uint64",
    "Float64": "float64",
}
_SIMPLE: Final[dict[str, Kind]] = {
    "String": Text(),
    "LowCardinality(String)": Few(optional=False),
    "LowCardinality(Nullable(String))": Few(optional=True),
    **{name: Number(arrow) for name, arrow in _NUMBERS.items()},
}
_TIME: Final = re.compile(r"DateTime64\(\d(, '[\w/+-]+')?\)")
_WRAPPED: Final = re.compile(r"(Nullable|Array|Map)\((.*)\)")


def kind_of(name: str) -> Kind | None:
    """The kind of a type as ClickHouse writes it; None for one that no table here has."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    if _TIME.fullmatch(name):
        return Number("int64")
    wrapped = _WRAPPED.fullmatch(name)
    return _wrapped(wrapped[1], wrapped[2]) if wrapped else None


def _wrapped(outer: str, inner: str) -> Kind | None:
    if outer == "Map":
        first, comma, second = inner.partition(", ")
        keys, values = kind_of(first), kind_of(second)
        return Pairs(keys, values) if comma and isinstance(keys, Text | Few) and values else None
    of = kind_of(inner)
    if of is None:
        return None
    if outer == "Array":
        return Many(of)
    return Optional(of) if isinstance(of, Text | Number) else None
