"""How records of another version become ours without being resolved one by one: where all that both have is of the same type, what
only we have is null, and what only they have is left out. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from fastavro.schema import to_parsing_canonical_form

from pipeline.codec.shapes import readable
from schemas.registry import Schema

_NAME: Final = re.compile(r"[A-Za-z0-9_.]*")
NULL: Final = b"\0"
"""The first branch of a union, and nothing behind it."""


@dataclass(frozen=True, slots=True)
class Way:
    """From a writer's records to ours.

    `schema` is the writer's in Avro's canonical form; `absent` are our fields that it does not have, which are null. `lacking` are
    the bytes behind a body of the writer that make it one of ours, None where that would not do.
    """

    schema: str
    absent: frozenset[str] = frozenset()
    lacking: bytes | None = b""


def way(writer: Schema, ours: Schema) -> Way | None:
    """The way, if there is one; both schemas are plain ones."""
    if not readable(writer) or not readable(ours) or not _named(writer):
        return None
    text = to_parsing_canonical_form(writer)
    theirs, own = _types(text), _types(to_parsing_canonical_form(ours))
    if any(theirs.get(name, kind) != kind for name, kind in own.items()):
        return None
    absent = [field for field in ours["fields"] if field["name"] not in theirs]
    if not all(_is_null(field) for field in absent):
        return None
    in_front = [*theirs, *(field["name"] for field in absent)] == list(own)
    return Way(text, frozenset(field["name"] for field in absent), NULL * len(absent) if in_front else None)


def _named(node: Any) -> bool:
    """Whether its names are all names: the canonical form escapes nothing, so another would make another schema of it, or none."""
    if isinstance(node, list):
        return all(map(_named, node))
    if not isinstance(node, dict):
        return True
    names = (*(node[key] for key in ("name", "namespace") if key in node), *node.get("symbols", ()))
    inner = (node[key] for key in ("type", "items", "values", "fields") if key in node)
    return all(_NAME.fullmatch(name) for name in names) and all(map(_named, inner))


def _types(canonical: str) -> dict[str, Any]:
    return {field["name"]: field["type"] for field in json.loads(canonical)["fields"]}


def _is_null(field: dict[str, Any]) -> bool:
    """Without a value of the writer it is null; and nothing of the writer's has one of its older names."""
    kind = field["type"]
    first = kind[0] if isinstance(kind, list) and kind else None
    return first == "null" and "default" in field and field["default"] is None and not field.get("aliases")
