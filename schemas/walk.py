"""Every field of a schema by its path, and what of a schema only explains it."""

from collections.abc import Iterator
from typing import Any, Final

# What may change in a version that is out: it changes no byte of a record and no reader's understanding of one.
COMMENTARY: Final = frozenset(("doc", "privacy", "purpose", "retention"))
Field = dict[str, Any]


def fields(node: Any, path: str = "") -> Iterator[tuple[str, Field]]:
    """Each field with its path, those of records inside it after it: `answer.value`, `items[].value`, `sums{}.n`.

    `node` is parsed JSON in which every type is defined where it is first used; a type named again is not entered again.
    """
    if isinstance(node, list):
        for branch in node:
            yield from fields(branch, path)
    elif isinstance(node, dict):
        for field in node.get("fields", ()):
            below = f"{path}.{field['name']}" if path else field["name"]
            yield below, field
            yield from fields(field["type"], below)
        if "items" in node:
            yield from fields(node["items"], f"{path}[]")
        if "values" in node:
            yield from fields(node["values"], f"{path}{{}}")
        if isinstance(node.get("type"), dict | list):
            yield from fields(node["type"], path)


def without_commentary(node: Any) -> Any:
    """The schema without what only explains it; defaults stay as they are."""
    if isinstance(node, list):
        return [without_commentary(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {name: value for name, value in node.items() if name not in COMMENTARY}
    return {name: value if name == "default" else without_commentary(value) for name, value in kept.items()}


def logical_types(node: Any) -> list[str]:
    """The logical types of a field's type, itself and in unions, arrays and maps, in order; records are not entered."""
    if isinstance(node, list):
        return [name for branch in node for name in logical_types(branch)]
    if not isinstance(node, dict) or node.get("type") == "record":
        return []
    inner = [node.get(name) for name in ("type", "items", "values")]
    own = [node["logicalType"]] if "logicalType" in node else []
    return own + [name for one in inner for name in logical_types(one)]
