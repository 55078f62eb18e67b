"""Which schemas the Arrow implementation takes, and which of their values may not be missing."""

from typing import Any, Final

from schemas.registry import Schema

_SIMPLE: Final = frozenset(("boolean", "int", "long", "double", "string"))


def readable(schema: Schema) -> bool:
    """Has a record only types that both implementations have the same values for? Maps may be its fields, not further inside."""
    return all(_readable(_map_of(field["type"])) for field in schema["fields"])


def _map_of(kind: Any) -> Any:
    return kind["values"] if isinstance(kind, dict) and kind["type"] == "map" else kind


def _readable(node: Any) -> bool:
    if isinstance(node, list):
        return len(node) == 2 and node[0] == "null" and _readable(node[1]) and not _is_array(node[1])
    if not isinstance(node, dict):
        return node in _SIMPLE
    kind = node["type"]
    if kind == "record":
        return bool(node["fields"]) and all(_readable(field["type"]) for field in node["fields"])
    return _readable(node["items"]) if kind == "array" else kind == "enum" or _readable(kind)


def _is_array(node: Any) -> bool:
    return isinstance(node, dict) and node["type"] == "array"


def required(array: Any, node: Any) -> None:
    """Raises ValueError where an Arrow array has nothing although the schema asks for something: it would be written as empty."""
    if isinstance(node, list):
        node, missing = node[1], array.null_count
    elif array.null_count:
        raise ValueError("a value is missing")
    else:
        missing = 0
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        present = array.drop_null() if missing else array
        for number, field in enumerate(node["fields"]):
            required(present.field(number), field["type"])
    elif kind == "array":
        required(array.flatten(), node["items"])
    elif kind == "map":
        required(array.items, node["values"])
    elif isinstance(kind, dict | list):
        required(array, kind)
