"""What can be said of a schema beforehand: whether the Arrow implementation takes it, and where its ints are."""

from collections.abc import Callable
from typing import Any, Final

from schemas.registry import Schema

IntCheck = Callable[[Any], None]
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


def int_check(node: Any) -> IntCheck | None:
    """What raises OverflowError where an `int` does not fit in its 32 bits, which fastavro does not look at. None: no ints."""
    if isinstance(node, list):
        checks = [check for check in map(int_check, node) if check]
        return _if_there(checks[0]) if checks else None
    kind = node["type"] if isinstance(node, dict) else node
    if isinstance(kind, dict | list):
        return int_check(kind)
    if kind == "int":
        return _int_fits
    if kind == "record":
        checked = [(field["name"], int_check(field["type"])) for field in node["fields"]]
        return _fields_fit([(name, check) for name, check in checked if check])
    if kind in ("array", "map"):
        inner = int_check(node["items"] if kind == "array" else node["values"])
        return inner and _items_fit(inner, kind)
    return None


def _int_fits(value: Any) -> None:
    if isinstance(value, int) and not -(1 << 31) <= value < 1 << 31:
        raise OverflowError("an int of more than 32 bits")


def _if_there(check: IntCheck) -> IntCheck:
    return lambda value: None if value is None else check(value)


def _fields_fit(checks: list[tuple[str, IntCheck]]) -> IntCheck | None:
    def check(record: Any) -> None:
        for name, fits in checks:
            if name in record:
                fits(record[name])

    return check if checks else None


def _items_fit(fits: IntCheck, kind: str) -> IntCheck:
    def check(items: Any) -> None:
        for item in items.values() if kind == "map" else items:
            fits(item)

    return check
