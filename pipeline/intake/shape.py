"""The form of a touchpoint in JSON, made from its Avro schema, so that there is one description of both. Pure."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.registry import Schema, load

STAMPED: Final = frozenset({"received_at"})
"""Fields that the intake fills, so nobody sends them."""
GIVEN_BY_KEY: Final = frozenset({"source"})
"""Fields that the sender's key says; whoever sends them too must say the same."""
MOST_ITEMS: Final = 100
_BITS: Final = {"int": 31, "long": 63}
_LIMITS: Final = {name: msgspec.Meta(ge=-(2**bits), le=2**bits - 1) for name, bits in _BITS.items()}
_PLAIN: Final[dict[str, Any]] = {"string": str, "boolean": bool, "double": float, "float": float}
_WHEN: Final = "Milliseconds since epoch, UTC, or a text such as 2026-03-01T08:00:00Z."


@dataclass(frozen=True, slots=True)
class Shape:
    """`form` is a msgspec struct that refuses unknown fields; `times` are the paths of what may be a time in words.

    `names` are the names of all its fields, at whatever depth.
    """

    form: type[msgspec.Struct]
    times: tuple[tuple[str, ...], ...]
    names: frozenset[str]


@cache
def shape_of(record: str, version: int | None = None) -> Shape:
    """The form of a record's version, by default the newest. Raises SchemaUnknown."""
    maker = _Maker()
    schema = load(record, version)
    form = maker.record(schema, (), left_out=STAMPED, optional=GIVEN_BY_KEY)
    return Shape(form, tuple(maker.times), frozenset(maker.names))


class _Maker:
    def __init__(self) -> None:
        self.times: list[tuple[str, ...]] = []
        self.names: set[str] = set()

    def record(
        self,
        schema: Schema,
        path: tuple[str, ...],
        left_out: frozenset[str] = frozenset(),
        optional: frozenset[str] = frozenset(),
    ) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for field in schema["fields"]:
            name = field["name"]
            if name in left_out:
                continue
            self.names.add(name)
            kind = self.type_of(field["type"], (*path, name))
            said = msgspec.Meta(description=field["doc"])
            if name in optional:
                fields.append((name, Annotated[kind | None, said], None))
            elif "default" in field:
                fields.append((name, Annotated[kind, said], _default(field["default"])))
            else:
                fields.append((name, Annotated[kind, said]))
        return msgspec.defstruct(schema["name"], fields, kw_only=True, forbid_unknown_fields=True, gc=False)

    def type_of(self, node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            (inner,) = [branch for branch in node if branch != "null"]
            return self.type_of(inner, path) | None
        if isinstance(node, str):
            return Annotated[int, _LIMITS[node]] if node in _LIMITS else _PLAIN[node]
        if node.get("logicalType") == "timestamp-millis":
            self.times.append(path)
            return Annotated[int | str, msgspec.Meta(description=_WHEN)]
        match node["type"]:
            case "record":
                return self.record(node, path)
            case "enum":
                return Literal[tuple(node["symbols"])]
            case "array":
                items: Any = self.type_of(node["items"], (*path, "[]"))
                return Annotated[list.__class_getitem__(items), msgspec.Meta(max_length=MOST_ITEMS)]
            case "map":
                return dict.__class_getitem__((str, self.type_of(node["values"], (*path, "{}"))))
            case inner:
                return self.type_of(inner, path)


def _default(value: Any) -> Any:
    return msgspec.field(default_factory=dict) if value == {} else value
