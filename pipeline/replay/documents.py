"""JSON into rows: one document, one on each line, and the lists of records within them. Pure; nothing in a text breaks it."""

import base64
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pipeline.replay.lines import Lines
from pipeline.replay.row import ROW_CHARS, BadRow, Layout, Row

DOCUMENT_CHARS: Final = 20_000_000
DEPTH: Final = 64
_NOTHING: Final = object()
_NO_JSON: Final = "is not JSON"
_NO_OBJECT: Final = "is not a JSON object"


class _Unflat(ValueError):
    """A record cannot become cells. Says why."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record before it has its number: its cells, or why it has none."""

    line: int
    text: str
    cells: dict[str, str] | None
    around: dict[str, str]
    fault: str = ""


def of_lines(lines: Lines, layout: Layout) -> Iterator[Row | BadRow]:
    """The rows of JSON lines."""
    return _numbered(entry for line in lines for entry in _of_line(line.number, line.text, line.fault, layout))


def of_text(lines: Lines, layout: Layout) -> Iterator[Row | BadRow]:
    """The rows of one JSON document (a list in it is a list of records), or of one on each line. Raises FileFault.

    What is longer than DOCUMENT_CHARS is read by lines.
    """
    text = lines.rest(DOCUMENT_CHARS)
    if text is None:
        return _numbered(_by_lines(lines, 0, layout))
    if not text.strip():
        return iter(())
    value = _loaded(text)
    if value is not _NOTHING:
        return _numbered(_of_value(lines.number + 1, text, value, layout, lists=True))
    return _of_broken(text, lines.number, layout)


def _of_broken(text: str, before: int, layout: Layout) -> Iterator[Row | BadRow]:
    """Some of its lines may be documents; where none is, it is one broken document and not many."""
    entries = _by_lines(Lines(io.StringIO(text, newline=""), ""), before, layout)
    first: list[_Entry] = []
    for entry in entries:
        first.append(entry)
        if entry.fault not in (_NO_JSON, _NO_OBJECT):
            return _numbered(chain(first, entries))
    return _numbered([_Entry(before + 1, text[:ROW_CHARS], None, {}, _NO_JSON)])


def _by_lines(lines: Lines, before: int, layout: Layout) -> Iterator[_Entry]:
    for line in lines:
        yield from _of_line(before + line.number, line.text, line.fault, layout, lists=True)


def _numbered(entries: Iterable[_Entry]) -> Iterator[Row | BadRow]:
    for number, entry in enumerate(entries, 1):
        if entry.cells is None:
            yield BadRow(entry.line, number, entry.fault, entry.text)
        else:
            yield Row(entry.line, number, entry.cells, entry.around)


def _loaded(text: str) -> Any:
    """The value of a JSON text, numbers as text, so that a sum of money keeps every digit; _NOTHING when it is none."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return _NOTHING


def _of_line(number: int, text: str, fault: str | None, layout: Layout, lists: bool = False) -> Iterator[_Entry]:
    if fault is None and not text.strip():
        return
    value = _loaded(text) if fault is None else _NOTHING
    if value is _NOTHING:
        yield _Entry(number, text, None, {}, fault or _NO_JSON)
    else:
        yield from _of_value(number, text, value, layout, lists)


def _of_value(line: int, text: str, value: Any, layout: Layout, lists: bool) -> Iterator[_Entry]:
    for document in value if lists and isinstance(value, list) else [value]:
        records, surrounding = _records(document, layout.records)
        try:
            around = _flat(surrounding, "outer.") if surrounding else {}
        except _Unflat as error:
            yield _Entry(line, text[:ROW_CHARS], None, {}, f"has around its records what {error}")
            continue
        for record in records:
            yield _entry(line, _unpacked(record, layout), around, text if record is value else None)


def _unpacked(record: Any, layout: Layout) -> Any:
    """The record, with what is JSON within a text of its own, or that in base64, under its new name as well."""
    if not isinstance(record, dict):
        return record
    found = {name: _inner(record[key]) for key, name in layout.unpack if isinstance(record.get(key), str)}
    return record | {name: value for name, value in found.items() if isinstance(value, dict | list)}


def _inner(text: str) -> Any:
    value = _loaded(text)
    if value is not _NOTHING:
        return value
    try:
        return _loaded(base64.urlsafe_b64decode(text.rstrip("=") + "==").decode())
    except ValueError:
        return _NOTHING


def _entry(line: int, record: Any, around: dict[str, str], text: str | None) -> _Entry:
    try:
        if not isinstance(record, dict):
            raise _Unflat(_NO_OBJECT)
        return _Entry(line, "", _flat(record), around)
    except _Unflat as error:
        return _Entry(line, (_written(record) if text is None else text)[:ROW_CHARS], None, {}, str(error))


def _written(record: Any) -> str:
    try:
        return json.dumps(record)
    except RecursionError:
        return ""


def _records(document: Any, path: str) -> tuple[list[Any], dict[str, Any] | None]:
    """The records at the end of a path, and what is around them. A document without that path is a record itself."""
    parts = path.split(".") if path else []
    found = document
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    if not parts or not isinstance(found, dict | list):
        return [document], None
    return found if isinstance(found, list) else [found], _without(document, parts)


def _without(document: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    rest = {key: value for key, value in document.items() if key != parts[0]}
    return rest | {parts[0]: _without(document[parts[0]], parts[1:])} if len(parts) > 1 else rest


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Names of nested values are joined by dots; elements of lists are numbered from 0. Raises _Unflat."""
    cells: dict[str, str] = {}
    chars, nested = 0, [_named(prefix, record)]
    while nested:
        pair = next(nested[-1], None)
        if pair is None:
            nested.pop()
            continue
        name, value = pair
        if isinstance(value, dict | list):
            if len(nested) >= DEPTH:
                raise _Unflat(f"is nested more than {DEPTH} deep")
            nested.append(_named(f"{name}.", value))
        elif value is not None:
            cells[name] = ("true" if value else "false") if isinstance(value, bool) else str(value)
        # Each name of a nested value repeats the names above it, so a small text could become very large cells.
        chars += len(name) + len(cells.get(name, ""))
        if chars > ROW_CHARS:
            raise _Unflat(f"is longer than {ROW_CHARS} characters with all its names")
    _refuse_bad_text("".join(cells) + "".join(cells.values()))
    return cells


def _named(prefix: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    return ((f"{prefix}{key}", inner) for key, inner in pairs)


def _refuse_bad_text(text: str) -> None:
    if "\0" in text:
        raise _Unflat("holds a NUL byte")
    if text.isascii():
        return
    if any("\udc80" <= sign <= "\udcff" for sign in text):
        raise _Unflat("holds bytes that are not in the file's encoding")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _Unflat("holds half a character")
