"""JSON into rows: one document, one on each line, and the lists of records within them. Pure; nothing in a text breaks it."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pipeline.replay.lines import Lines
from pipeline.replay.row import ROW_CHARS, TOO_LONG_WITH_NAMES, BadRow, Layout, Row

DOCUMENT_CHARS: Final = 20_000_000
DEPTH: Final = 64
NOTHING: Final = object()
_NO_JSON: Final = "is not JSON"
_NO_OBJECT: Final = "is not a JSON object"


_FOREIGN: Final = re.compile("[\udc80-\udcff]")
_HALF: Final = re.compile("[\ud800-\udfff]")
Load = Callable[[str], Any]


class Unflat(ValueError):
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
    if value is not NOTHING:
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
    """The value of a JSON text, numbers as text, so that a sum of money keeps every digit; NOTHING when it is none."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return NOTHING


def _of_line(number: int, text: str, fault: str | None, layout: Layout, lists: bool = False) -> Iterator[_Entry]:
    if fault is None and not text.strip():
        return
    value = _loaded(text) if fault is None else NOTHING
    if value is NOTHING:
        yield _Entry(number, text, None, {}, fault or _NO_JSON)
    else:
        yield from _of_value(number, text, value, layout, lists)


def _of_value(line: int, text: str, value: Any, layout: Layout, lists: bool) -> Iterator[_Entry]:
    for document in value if lists and isinstance(value, list) else [value]:
        records, surrounding = _records(document, layout.records)
        try:
            around = around_of(surrounding) if surrounding else {}
        except Unflat as error:
            yield _Entry(line, text[:ROW_CHARS], None, {}, str(error))
            continue
        for record in records:
            yield _entry(line, record, layout, around, text if record is value else None)


def cells_of(record: Any, layout: Layout, load: Load) -> dict[str, str]:
    """The cells of a record; `load` gives the value of a JSON text, or NOTHING. Raises Unflat, and whatever `load` does."""
    if not isinstance(record, dict):
        raise Unflat(_NO_OBJECT)
    return _flat(_unpacked(record, layout, load))


def around_of(surrounding: dict[str, Any]) -> dict[str, str]:
    """The cells of what is around records. Raises Unflat."""
    try:
        return _flat(surrounding, "outer.")
    except Unflat as error:
        raise Unflat(f"has around its records what {error}") from None


def _unpacked(record: dict[str, Any], layout: Layout, load: Load) -> dict[str, Any]:
    """The record, with what is JSON within a text of its own, or that in base64, under its new name as well."""
    found = {name: _inner(record[key], load) for key, name in layout.unpack if isinstance(record.get(key), str)}
    return record | {name: value for name, value in found.items() if isinstance(value, dict | list)}


def _inner(text: str, load: Load) -> Any:
    value = load(text)
    if value is not NOTHING:
        return value
    try:
        return load(base64.urlsafe_b64decode(text.rstrip("=") + "==").decode())
    except ValueError:
        return NOTHING


def _entry(line: int, record: Any, layout: Layout, around: dict[str, str], text: str | None) -> _Entry:
    try:
        return _Entry(line, "", cells_of(record, layout, _loaded), around)
    except Unflat as error:
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
    """Names of nested values are joined by dots; elements of lists are numbered from 0. Raises Unflat."""
    cells: dict[str, str] = {}
    chars, nested = 0, [(prefix, _pairs(record))]
    while nested:
        prefix, pairs = nested[-1]
        for key, value in pairs:
            name = f"{prefix}{key}"
            # Each name of a nested value repeats the names above it, so a small text could become very large cells.
            chars += len(name)
            if type(value) is str:
                cells[name] = value
                chars += len(value)
            if chars > ROW_CHARS:
                raise Unflat(TOO_LONG_WITH_NAMES)
            if value is True or value is False:
                cells[name] = "true" if value else "false"
            elif value and type(value) is not str:
                if len(nested) >= DEPTH:
                    raise Unflat(f"is nested more than {DEPTH} deep")
                nested.append((f"{name}.", _pairs(value)))
                break
        else:
            nested.pop()
    _refuse_bad_text("".join(cells) + "".join(cells.values()))
    return cells


def _pairs(value: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _refuse_bad_text(text: str) -> None:
    if "\0" in text:
        raise Unflat("holds a NUL byte")
    if text.isascii():
        return
    if _FOREIGN.search(text):
        raise Unflat("holds bytes that are not in the file's encoding")
    if _HALF.search(text):
        raise Unflat("holds half a character")
