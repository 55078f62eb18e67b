"""Mapping files: how the rows of somebody's file become touchpoints. Documented in docs/input.md."""

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any, Final

from pipeline.replay.fields import Field, MappingFault, Needed, condition, field
from pipeline.replay.plan import Condition, Mapping, Plan
from pipeline.replay.row import Layout

__all__ = ["Mapping", "MappingFault", "Plan", "parse", "read"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
TEXTS: Final = (
    *("event_type", "channel", "source", "actor_type", "account", "source_session", "agent", "site", "vendor"),
    *("language", "reason", "outcome", "text", "campaign", "product"),
)
_PLAIN: Final = {
    **dict.fromkeys(TEXTS, "text"),
    **{"occurred_at": "time", "sent_at": "time", "source_sequence": "integer", "duration_ms": "duration"},
}
# A nested value is there when its first field is.
_NESTED: Final = {
    "answer": {
        **{"value": "int32", "question": "text", "metric": "text", "scale_min": "int32", "scale_max": "int32"},
        **{"direction": "text", "aspect": "text"},
    },
    "amount": {"minor_units": "money", "currency": "text"},
    "promise": {"promise_id": "text", "kind": "text", "due_at": "time"},
}
_REQUIRED: Final = ("event_type", "channel", "occurred_at", "source", "identifiers")
_EVENT_ID: Final = ("row_and_content", "row", "columns", "content")
_JSON: Final = ("jsonl", "json")
_FORMATS: Final = ("csv", "words", "jsonl", "json")


def read(path: Path) -> Mapping:
    """The mapping in a file. Raises MappingFault, naming the file."""
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MappingFault(f"cannot read the mapping {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MappingFault(f"the mapping {path} is not UTF-8 text") from None
    except MappingFault as error:
        raise MappingFault(f"the mapping {path} is wrong: {error}") from None


def parse(text: str) -> Mapping:
    """The mapping in a TOML document. Raises MappingFault."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingFault(f"it is not TOML: {error}") from None
    _only("it", document, {"name", "about", "order", "file", "event_id", "when", "common", "touchpoint"})
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MappingFault("name must be up to 40 of a-z, 0-9 and -")
    about = document.get("about", "")
    if not isinstance(about, str) or "\n" in about:
        raise MappingFault("about must be one line")
    order = document.get("order", "file")
    if order not in ("file", "time"):
        raise MappingFault("order must be file or time")
    needed = Needed()
    layout = _layout(_table("file", document.get("file", {})))
    id_from, id_columns = _event_id(_table("event_id", document.get("event_id", {})), needed)
    when = _conditions("when", document.get("when", []), needed)
    common = _table("common", document.get("common", {}))
    entries = document.get("touchpoint", [])
    if not isinstance(entries, list) or not entries:
        raise MappingFault("needs one [[touchpoint]] at least")
    plans = tuple(
        _plan(f"touchpoint {n}", {**common, **_table(f"touchpoint {n}", entry)}, needed)
        for n, entry in enumerate(entries, 1)
    )
    # Rows of JSON may leave out what they have not, so there a column is never lacking.
    columns = frozenset() if layout.format in _JSON else frozenset(needed.columns)
    return Mapping(name, layout, order == "time", id_from, id_columns, when, plans, columns, about)


def _layout(entry: dict[str, Any]) -> Layout:
    known = {
        "format",
        "delimiter",
        "quote",
        "encoding",
        "columns",
        "skip_lines",
        "may_lack_columns",
        "records",
        "unpack",
    }
    _only("file", entry, known)
    if "columns" in entry and not isinstance(entry["columns"], list):
        raise MappingFault("file: columns must be a list of different names")
    unpack = _table("file: unpack", entry.get("unpack", {}))
    if not all(isinstance(name, str) and name for name in unpack.values()):
        raise MappingFault("file: unpack must be a table of keys and what they are called then")
    columns = {"columns": tuple(entry["columns"])} if "columns" in entry else {}
    layout = Layout(**{**entry, **columns, "unpack": tuple(unpack.items())})
    if layout.format not in _FORMATS:
        raise MappingFault(f"file: format must be one of {', '.join(_FORMATS)}")
    if not isinstance(layout.may_lack_columns, bool):
        raise MappingFault("file: may_lack_columns must be true or false")
    if not isinstance(layout.records, str) or (layout.records and layout.format not in _JSON):
        raise MappingFault("file: records must be a name, and is for jsonl and json only")
    if layout.unpack and layout.format not in _JSON:
        raise MappingFault("file: unpack is for jsonl and json only")
    _check_text(layout)
    return layout


def _check_text(layout: Layout) -> None:
    delimiter, quote = layout.delimiter, layout.quote
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in "\r\n":
        raise MappingFault("file: delimiter must be one character")
    if not isinstance(quote, str) or len(quote) > 1 or quote == delimiter or quote in ("\r", "\n"):
        raise MappingFault("file: quote must be one character other than the delimiter, or empty for none")
    if type(layout.skip_lines) is not int or layout.skip_lines < 0:
        raise MappingFault("file: skip_lines must be a whole number")
    names = layout.columns
    if names is not None and not (
        names and all(isinstance(n, str) and n for n in names) and len({*names}) == len(names)
    ):
        raise MappingFault("file: columns must be a list of different names")
    try:
        if not codecs.lookup(layout.encoding)._is_text_encoding:
            raise LookupError
    except (LookupError, TypeError, ValueError):
        raise MappingFault("file: there is no such encoding") from None


def _event_id(entry: dict[str, Any], needed: Needed) -> tuple[str, tuple[str, ...]]:
    _only("event_id", entry, {"from", "columns"})
    kind, columns = entry.get("from", "row_and_content"), entry.get("columns", [])
    if kind not in _EVENT_ID:
        raise MappingFault(f"event_id: from must be one of {', '.join(_EVENT_ID)}")
    if not isinstance(columns, list) or (kind == "columns") is not bool(columns):
        raise MappingFault("event_id: columns must be listed if, and only if, from is columns")
    return kind, tuple(needed.column(column, "event_id") for column in columns)


def _plan(where: str, entry: dict[str, Any], needed: Needed) -> Plan:
    _only(where, entry, {*_PLAIN, *_NESTED, "when", "each", "identifiers", "attributes"})
    lacking = [name for name in _REQUIRED if name not in entry]
    if lacking:
        raise MappingFault(f"{where}: {', '.join(lacking)} must be mapped")
    attributes = dict(_table(f"{where}: attributes", entry.get("attributes", {})))
    kept, each = _prefixes(where, attributes.pop("*", [])), entry.get("each", "")
    if not isinstance(each, str):
        raise MappingFault(f"{where}: each must be a name")
    whole, needed = needed, Needed()
    plan = Plan(
        when=_conditions(f"{where}: when", entry.get("when", []), needed),
        fields={name: _field(where, name, kind, entry[name], needed) for name, kind in _PLAIN.items() if name in entry},
        nested={name: _group(where, name, entry[name], needed) for name in _NESTED if name in entry},
        identifiers=_identifiers(where, entry["identifiers"], needed),
        attributes={name: _field(where, f"attributes.{name}", "text", one, needed) for name, one in attributes.items()},
        kept=kept,
        each=each,
    )
    # What an entry has is in no header line.
    whole.columns.update(name for name in needed.columns if not (each and name.startswith("each.")))
    return plan


def _prefixes(where: str, entry: Any) -> tuple[str, ...]:
    names = entry if isinstance(entry, list) else [entry]
    if not all(isinstance(name, str) and name for name in names):
        raise MappingFault(f'{where}: attributes: "*" must be a name or a list of names')
    return tuple(names)


def _group(where: str, name: str, entry: Any, needed: Needed) -> dict[str, Field]:
    kinds = _NESTED[name]
    table = _table(f"{where}: {name}", entry)
    _only(f"{where}: {name}", table, set(kinds))
    optional = {"direction", "aspect", "due_at"}
    lacking = [inner for inner in kinds if inner not in table and inner not in optional]
    if lacking:
        raise MappingFault(f"{where}: {name} needs {', '.join(lacking)}")
    return {
        inner: _field(where, f"{name}.{inner}", kind, table[inner], needed)
        for inner, kind in kinds.items()
        if inner in table
    }


def _identifiers(where: str, entry: Any, needed: Needed) -> tuple[tuple[str, Field], ...]:
    if not isinstance(entry, list) or not entry:
        raise MappingFault(f"{where}: identifiers must be a list of tables")
    made = []
    for one in entry:
        table = dict(_table(f"{where}: identifiers", one))
        namespace = table.pop("namespace", None)
        if not isinstance(namespace, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", namespace):
            raise MappingFault(f"{where}: an identifier needs a namespace such as customer, email or phone")
        made.append((namespace, _field(where, f"identifiers.{namespace}", "text", table, needed)))
    return tuple(made)


def _field(where: str, name: str, kind: str, entry: Any, needed: Needed) -> Field:
    try:
        return field(name, kind, entry, needed)
    except MappingFault as error:
        raise MappingFault(f"{where}: {error}") from None


def _conditions(where: str, entry: Any, needed: Needed) -> tuple[Condition, ...]:
    entries = entry if isinstance(entry, list) else [entry]
    return tuple(condition(where, one, needed) for one in entries)


def _table(where: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise MappingFault(f"{where}: must be a table")
    return entry


def _only(where: str, entry: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(entry.keys() - known)
    if unknown:
        raise MappingFault(f"{where}: does not know {', '.join(unknown)}")
