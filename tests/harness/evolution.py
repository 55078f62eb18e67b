"""Random pairs of schemas that lie close together, and records that show every branch, symbol and emptiness of one."""

import copy
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import hypothesis.strategies as st

PRIMITIVES: Final = ("boolean", "int", "long", "float", "double", "string", "bytes")
DEFAULTS: Final[dict[str, Any]] = {
    "null": None,
    "boolean": False,
    "int": 0,
    "long": 0,
    "float": 0.5,
    "double": 0.5,
    "string": "",
    "array": [],
    "map": {},
}
SYMBOLS: Final = ("a", "b", "c")
# What Python's value alone tells apart, so that a value is written under the branch that it is meant for.
UNION_KINDS: Final = (("int", "long", "double"), ("string", "enum"), ("boolean",), ("bytes",), ("array",), ("record",))


@st.composite
def record_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A record of up to four fields, records, lists, maps, unions, enums and fixed ones inside it."""
    return _record(draw, count(), 0)


def _record(draw: st.DrawFn, numbers: Iterator[int], depth: int) -> dict[str, Any]:
    # Records are of one name on each level, so that two that stand in one place may be the same.
    names = draw(st.lists(st.sampled_from("pqrs"), max_size=3, unique=True))
    fields = [_field(draw, name, _type(draw, numbers, depth + 1)) for name in ["key", *names]]
    return {"type": "record", "name": f"Record{next(numbers)}", "fields": fields}


def _field(draw: st.DrawFn, name: str, kind: Any) -> dict[str, Any]:
    return _with_default({"name": name, "type": kind}, wanted=draw(st.booleans()))


def _with_default(field: dict[str, Any], *, wanted: bool) -> dict[str, Any]:
    """Of bytes, fixed ones and records the library gives a default as it stands in JSON, so these have none."""
    kind = field["type"][0] if isinstance(field["type"], list) else field["type"]
    name = kind["type"] if isinstance(kind, dict) else kind
    if wanted and name == "enum":
        field["default"] = kind["symbols"][0]
    elif wanted and name in DEFAULTS:
        field["default"] = copy.copy(DEFAULTS[name])
    return field


def _type(draw: st.DrawFn, numbers: Iterator[int], depth: int) -> Any:
    kinds = (*PRIMITIVES, "enum", "fixed", "union", *(("record", "array", "map") if depth < 3 else ()))
    return _of_kind(draw, draw(st.sampled_from(kinds)), numbers, depth)


def _of_kind(draw: st.DrawFn, kind: str, numbers: Iterator[int], depth: int) -> Any:
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
        enum = {"type": "enum", "name": f"Enum{next(numbers)}", "symbols": symbols}
        return {**enum, "default": symbols[0]} if draw(st.booleans()) else enum
    if kind == "fixed":
        return {"type": "fixed", "name": f"Fixed{next(numbers)}", "size": draw(st.integers(1, 2))}
    if kind == "record":
        return _record(draw, numbers, depth)
    if kind == "array":
        return {"type": "array", "items": _type(draw, numbers, depth + 1)}
    if kind == "map":
        return {"type": "map", "values": _type(draw, numbers, depth + 1)}
    if kind == "union":
        groups = draw(st.lists(st.sampled_from(UNION_KINDS), min_size=1, max_size=2, unique=True))
        chosen = [draw(st.sampled_from(group)) for group in groups if depth < 3 or group[0] not in ("array", "record")]
        return ["null", *(_of_kind(draw, one, numbers, depth + 1) for one in chosen)]
    return kind


@st.composite
def changed(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with one to three changes, compatible ones or not."""
    made = copy.deepcopy(schema)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, draw(st.sampled_from(list(_records(made)))))
    return made


def _records(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for branch in node:
            yield from _records(branch)
    elif isinstance(node, dict):
        if node["type"] == "record":
            yield node
        for inner in [*(field["type"] for field in node.get("fields", ())), node.get("items"), node.get("values")]:
            yield from _records(inner)


def _change(draw: st.DrawFn, record: dict[str, Any]) -> None:
    fields = record["fields"]
    match draw(st.sampled_from(("add", "drop", "reorder", "rename", "default", "type", "type", "type"))):
        case "add" if not any(field["name"] == "new" for field in fields):
            fields.insert(0, _field(draw, "new", draw(st.sampled_from(("string", ["null", "long"], "double")))))
        case "drop" if fields:
            fields.pop()
        case "reorder":
            fields.reverse()
        case "rename" if fields:
            field = fields[0]
            if draw(st.booleans()):
                field["aliases"] = [*field.get("aliases", ()), field["name"]]
            field["name"] += "_x"
        case "default" if fields:
            fields[0].pop("default", None)
        case "type" if fields:
            field = draw(st.sampled_from(fields))
            field["type"] = _other_type(draw, field["type"])
            _with_default(field, wanted=field.pop("default", field) is not field)


def _other_type(draw: st.DrawFn, kind: Any) -> Any:
    if isinstance(kind, list):
        return draw(st.sampled_from((kind[1:] or ["null"], kind[:2], [*kind[1:], *kind[:1]], kind[-1])))
    name = kind["type"] if isinstance(kind, dict) else kind
    if name == "enum" and draw(st.booleans()):
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
        return {**{k: v for k, v in kind.items() if k != "default"}, "symbols": symbols}
    if name == "fixed" and draw(st.booleans()):
        return {**kind, "size": 3 - kind["size"]}
    if name in ("array", "map") and draw(st.booleans()):
        inner = "items" if name == "array" else "values"
        return {**kind, inner: _other_type(draw, kind[inner])}
    other = draw(st.sampled_from(PRIMITIVES))
    nullable = [["null", kind], [kind, "null"]] if kind != "null" else []
    return draw(st.sampled_from((other, {"type": "array", "items": kind}, *nullable)))


def values_of(kind: Any) -> list[Any]:
    """Values that show every branch, symbol and emptiness of a type at least once."""
    if isinstance(kind, list):
        return [value for branch in kind for value in values_of(branch)]
    name = kind["type"] if isinstance(kind, dict) else kind
    if name == "record":
        return records_of(kind)
    if name == "array":
        return [values_of(kind["items"]), []]
    if name == "map":
        return [{f"k{n}": value for n, value in enumerate(values_of(kind["values"]))}, {}]
    if name == "enum":
        return list(kind["symbols"])
    if name == "fixed":
        return [b"x" * kind["size"]]
    simple: dict[str, list[Any]] = {
        "null": [None],
        "boolean": [True],
        "int": [5],
        "long": [1 << 40],
        "float": [1.5],
        "double": [2.5],
        "string": ["text"],
        "bytes": [b"raw"],
    }
    return simple[name]


def records_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Records in which every field takes each of its values."""
    fields = {field["name"]: values_of(field["type"]) for field in schema["fields"]}
    longest = max(map(len, fields.values()), default=1)
    return [{name: values[n % len(values)] for name, values in fields.items()} for n in range(longest)]
