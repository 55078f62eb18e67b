"""Can records of one schema be read as another? The rules of schema resolution of the Avro specification, with words for a failure.

https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

Schema = dict[str, Any]
PROMOTIONS: Final = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}
NAMED: Final = ("record", "enum", "fixed")
MOST_SHOWN: Final = 10
_ROOT: Final = "the record itself"


class SchemaInvalid(ValueError):
    """This is no Avro schema; says why."""


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """Where and why a record of the writer cannot be read: `path` as `answer.value`, `items[].value` or `sums{}`."""

    path: str
    why: str


def incompatibilities(reader: Any, writer: Any) -> list[Incompatibility]:
    """Everything for which some record of `writer`, parsed JSON, cannot be read as `reader`; none: all can be.

    Raises SchemaInvalid, naming which of them is no schema.
    """
    there, here = _parsed(reader, "the reader's schema"), _parsed(writer, "the writer's schema")
    found = _Resolution(there, here).faults("", there.schema, here.schema)
    return list(dict.fromkeys(Incompatibility(one.path or _ROOT, one.why) for one in found))


def look_at(schema: Any) -> None:
    """Raises SchemaInvalid if parsed JSON is no Avro schema."""
    _parsed(schema, "the schema")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A schema with full names everywhere, and its named types by them."""

    schema: Any
    named: dict[str, Any]

    def of(self, node: Any) -> Any:
        """The definition that a node is or names."""
        while isinstance(node, dict) and isinstance(node["type"], dict | list):
            node = node["type"]
        return self.named.get(node, node) if isinstance(node, str) else node


def _parsed(schema: Any, which: str) -> _Parsed:
    named: dict[str, Any] = {}
    try:
        parsed = _Parsed(fastavro.parse_schema(schema, named_schemas=named), named)
        _look_at(parsed.schema)
    except (SchemaParseException, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise SchemaInvalid(f"{which} is not Avro: {_said(error)[:300]}") from None
    return parsed


def _said(error: Exception) -> str:
    if isinstance(error, UnknownType):
        return f"there is no type {error.name}"
    return str(error) if isinstance(error, SchemaParseException) else type(error).__name__


def _look_at(node: Any) -> None:
    """What the library lets pass: unions that hold a union or a type twice, and enums whose default is none of their symbols."""
    if isinstance(node, list):
        kinds = [one["name"] if _kind(one) in NAMED else _kind(one) for one in node if not isinstance(one, list)]
        if len(set(kinds)) < len(node):
            raise SchemaParseException("a union holds a union, or one type twice")
        for branch in node:
            _look_at(branch)
    elif isinstance(node, dict):
        if node["type"] == "enum" and node.get("default", node["symbols"][0]) not in node["symbols"]:
            raise SchemaParseException(f"the default of the enum {node['name']} is not one of its symbols")
        for inner in [*(one["type"] for one in node.get("fields", ())), node.get("items"), node.get("values")]:
            _look_at(inner)


class _Resolution:
    """Walks a reader and a writer side by side; each pair of records once, so that types may hold themselves."""

    def __init__(self, reader: _Parsed, writer: _Parsed) -> None:
        self._reader = reader
        self._writer = writer
        self._walked: set[tuple[str, str]] = set()

    def faults(self, path: str, reader: Any, writer: Any) -> Iterator[Incompatibility]:
        """Everything at this path and below."""
        reader, writer = self._reader.of(reader), self._writer.of(writer)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.faults(path, reader, branch)
        elif isinstance(reader, list):
            matching = next((branch for branch in reader if _matches(self._reader.of(branch), writer)), None)
            if matching is None:
                yield Incompatibility(path, f"the reader's union of {_words(reader)} has no {_word(writer)}")
            else:
                yield from self.faults(path, matching, writer)
        elif not _matches(reader, writer):
            yield Incompatibility(path, f"the writer has {_word(writer)}, the reader {_word(reader)}")
        else:
            yield from self._inside(path, reader, writer)

    def _inside(self, path: str, reader: Any, writer: Any) -> Iterator[Incompatibility]:
        match _kind(reader):
            case "record" if (pair := (reader["name"], writer["name"])) not in self._walked:
                self._walked.add(pair)
                yield from self._fields(path, reader, writer)
            case "enum" if "default" not in reader:
                known = set(reader["symbols"])
                missing = [symbol for symbol in writer["symbols"] if symbol not in known]
                if missing:
                    shown = ", ".join(missing[:MOST_SHOWN]) + (" and others" if len(missing) > MOST_SHOWN else "")
                    yield Incompatibility(path, f"the reader's enum has no {shown} and no default")
            case "array":
                yield from self.faults(f"{path}[]", reader["items"], writer["items"])
            case "map":
                yield from self.faults(f"{path}{{}}", reader["values"], writer["values"])

    def _fields(self, path: str, reader: Any, writer: Any) -> Iterator[Incompatibility]:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            below = f"{path}.{field['name']}" if path else field["name"]
            names = (field["name"], *field.get("aliases", ()))
            found = next((written[name] for name in names if name in written), None)
            if found is not None:
                yield from self.faults(below, field["type"], found["type"])
            elif "default" not in field:
                yield Incompatibility(below, "the writer does not have it, and the reader has no default for it")


def _kind(node: Any) -> str:
    kind: str = node["type"] if isinstance(node, dict) else node
    return "record" if kind == "error" else kind


def _matches(reader: Any, writer: Any) -> bool:
    """By kind and name alone; what is inside is looked at afterwards, so that a fault is told where it is."""
    there, here = _kind(reader), _kind(writer)
    if there != here:
        return there in PROMOTIONS.get(here, ())
    if there not in NAMED:
        return True
    known = {name.rpartition(".")[2] for name in (reader["name"], *reader.get("aliases", ()))}
    return writer["name"].rpartition(".")[2] in known and reader.get("size") == writer.get("size")


def _word(node: Any) -> str:
    kind = _kind(node)
    size = f" of {node['size']} bytes" if kind == "fixed" else ""
    return f"{kind} {node['name'].rpartition('.')[2]}{size}" if kind in NAMED else kind


def _words(union: list[Any]) -> str:
    shown = [node if isinstance(node, str) else _word(node) for node in union[:MOST_SHOWN]]
    return " and ".join(name.rpartition(".")[2] for name in shown) or "nothing"
