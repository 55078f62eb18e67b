"""One field of a mapping: where its text comes from, and what it becomes. Checked once, then a plain function per row."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.replay import values
from pipeline.replay.row import Row
from pipeline.replay.values import Unfit

Reader = Callable[[Row], str]
Parser = Callable[[str], Any]
_SOURCES: Final = ("const", "column", "template", "row")
_COMMON: Final = {*_SOURCES, "map", "default", "empty"}


class MappingFault(ValueError):
    """The mapping is wrong, whatever the file. Says where and why."""


class Misfit(ValueError):
    """A row does not fit: which field, and why. Never holds the row's own text."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Shift:
    """A duration in another column that is added to a time, or taken away from it."""

    read: Reader
    parse: values.Parser
    sign: int


@dataclass(frozen=True, slots=True)
class Field:
    """Makes one value of a row."""

    name: str
    read: Reader
    parse: Parser
    shifts: tuple[Shift, ...] = ()
    per_row_ms: int = 0

    def of(self, row: Row) -> Any:
        """The value, or None where the row has nothing. Raises Misfit."""
        text = self.read(row).strip()
        if not text:
            return None
        try:
            value = self.parse(text)
            for shift in self.shifts:
                by = shift.read(row).strip()
                value += shift.sign * shift.parse(by) if by else 0
        except Unfit as error:
            raise Misfit(self.name, str(error)) from None
        return value + row.number * self.per_row_ms if self.per_row_ms else value


class Needed:
    """The columns that the fields of a mapping name, collected while they are made."""

    def __init__(self) -> None:
        self.columns: set[str] = set()

    def column(self, name: Any, where: str) -> str:
        """Note one column. Raises MappingFault when that is no name."""
        if not isinstance(name, str) or not name:
            raise MappingFault(f"{where}: a column must be a name")
        self.columns.add(name)
        return name


def field(name: str, kind: str, entry: Any, needed: Needed) -> Field:
    """A field of a kind (text, time, integer, int32, money or duration) from its entry in a mapping. Raises MappingFault."""
    if isinstance(entry, str | int) and not isinstance(entry, bool):
        entry = {"const": str(entry)}
    if not isinstance(entry, dict):
        raise MappingFault(f"{name}: must be a constant or a table")
    options = {key: value for key, value in entry.items() if key not in _COMMON}
    reader = _mapped(name, entry, _reader(name, entry, needed))
    shifts = tuple(
        _shift(name, other, sign, needed)
        for word, sign in (("plus", 1), ("minus", -1))
        for other in _tables(name, word, options.pop(word, []))
        if kind == "time" or _refuse(name, word)
    )
    per_row = options.pop("per_row_ms", 0)
    if not isinstance(per_row, int) or (per_row and kind != "time"):
        raise MappingFault(f"{name}: per_row_ms must be a whole number, and is for times only")
    made = Field(name, reader, _parser(name, kind, options), shifts, per_row)
    return _checked(made, entry)


def _checked(made: Field, entry: dict[str, Any]) -> Field:
    """A constant that does not fit is the mapping's fault and not that of every row."""
    if "const" in entry:
        try:
            made.parse(str(entry["const"]))
        except Unfit as error:
            raise MappingFault(f"{made.name}: the constant is {error}") from None
    return made


def _reader(name: str, entry: dict[str, Any], needed: Needed) -> Reader:
    sources = [source for source in _SOURCES if source in entry]
    if len(sources) != 1:
        raise MappingFault(f"{name}: needs one of {', '.join(_SOURCES)}, and only one")
    if sources == ["const"]:
        constant = str(entry["const"])
        return lambda _row: constant
    if sources == ["column"]:
        return _first_filled([needed.column(column, name) for column in _list(entry["column"])], name)
    if sources == ["row"]:
        return lambda row: str(row.number)
    return _template(name, entry["template"], needed)


def _list(entry: Any) -> list[Any]:
    return entry if isinstance(entry, list) else [entry]


def _first_filled(columns: list[str], name: str) -> Reader:
    if not columns:
        raise MappingFault(f"{name}: a column must be a name")
    if len(columns) == 1:
        return lambda row: row.cell(columns[0])
    return lambda row: next((text for column in columns if (text := row.cell(column)).strip()), "")


def _template(name: str, template: Any, needed: Needed) -> Reader:
    try:
        parts = list(string.Formatter().parse(template))
    except (ValueError, TypeError):
        raise MappingFault(f"{name}: the template is malformed") from None
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise MappingFault(f"{name}: a template holds plain {{column}} only")
    pieces = [(text, column and needed.column(column, name)) for text, column, _, _ in parts if column != ""]
    if len(pieces) != len(parts):
        raise MappingFault(f"{name}: a template holds plain {{column}} only")

    def read(row: Row) -> str:
        # With nothing in one of its columns a template says nothing, so that "+{code}{number}" is never just "+".
        cells = [row.cell(column).strip() if column else None for _, column in pieces]
        if "" in cells:
            return ""
        return "".join(text + (cell or "") for (text, _), cell in zip(pieces, cells, strict=True))

    return read


def _mapped(name: str, entry: dict[str, Any], read: Reader) -> Reader:
    table, default, empty = entry.get("map"), entry.get("default"), entry.get("empty", [])
    if default is not None and not isinstance(default, str | int):
        raise MappingFault(f"{name}: default must be a text or a number")
    if not isinstance(empty, list) or not all(isinstance(text, str) for text in empty):
        raise MappingFault(f"{name}: empty must be a list of texts")
    if table is not None and not (isinstance(table, dict) and all(isinstance(v, str | int) for v in table.values())):
        raise MappingFault(f"{name}: map must be a table of texts")
    if table is None and default is None and not empty:
        return read
    known = {key: str(value) for key, value in table.items()} if table is not None else None
    nothing = frozenset({"", *empty})
    fallback = str(default) if default is not None else None
    nothing_means = known.get("", fallback) if known is not None else fallback

    def mapped(row: Row) -> str:
        text = read(row).strip()
        if text in nothing:
            return nothing_means or ""
        if known is None:
            return text
        found = known.get(text, fallback)
        if found is None:
            raise Misfit(name, "not in the map")
        return found

    return mapped


def _parser(name: str, kind: str, options: dict[str, Any]) -> Parser:
    makers: dict[str, tuple[Callable[..., Parser], set[str]]] = {
        "text": (lambda: str, set()),
        "integer": (values.integer, set()),
        "int32": (lambda: values.integer(*values.INT32), set()),
        "time": (_time, {"parse", "zone"}),
        "duration": (_duration, {"parse"}),
        "money": (_money, {"parse", "digits", "decimal", "grouping", "strip"}),
    }
    make, known = makers[kind]
    unknown = sorted(options.keys() - known)
    if unknown:
        raise MappingFault(f"{name}: does not know {', '.join(unknown)}")
    try:
        return make(**options)
    except (TypeError, ValueError) as error:
        raise MappingFault(f"{name}: {error}") from None


def _time(parse: str = "iso", zone: str = "UTC") -> Parser:
    if not isinstance(parse, str) or (parse not in ("iso", "epoch_s", "epoch_ms") and "%" not in parse):
        raise ValueError("parse must be iso, epoch_s, epoch_ms or a format such as %d.%m.%Y %H:%M")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError("there is no such time zone") from None
    return values.time(parse, zone)


def _duration(parse: str = "ms") -> Parser:
    if parse not in (*values.UNITS_MS, "clock"):
        raise ValueError(f"parse must be one of {', '.join((*values.UNITS_MS, 'clock'))}")
    return values.duration(parse)


def _money(parse: str = "major", digits: int = 2, decimal: str = ".", grouping: str = "", strip: str = "") -> Parser:
    if parse == "minor":
        return values.integer()
    if parse != "major":
        raise ValueError("parse must be major (12.50) or minor (1250)")
    if not isinstance(digits, int) or not 0 <= digits <= 4:
        raise ValueError("digits must be 0 to 4")
    if not all(isinstance(sign, str) for sign in (decimal, grouping, strip)):
        raise ValueError("decimal, grouping and strip must be texts")
    if len(decimal) != 1 or len(grouping) > 1 or decimal == grouping or (decimal + grouping).isalnum():
        raise ValueError("decimal must be one sign, and grouping another or none")
    return values.money(digits, decimal, grouping, strip)


def _tables(name: str, word: str, entry: Any) -> list[dict[str, Any]]:
    entries = _list(entry)
    if not all(isinstance(one, dict) for one in entries):
        raise MappingFault(f"{name}: {word} must be a table or a list of tables")
    return entries


def _refuse(name: str, word: str) -> bool:
    raise MappingFault(f"{name}: {word} is for times only")


def _shift(name: str, entry: dict[str, Any], sign: int, needed: Needed) -> Shift:
    inner = field(f"{name} ({'plus' if sign > 0 else 'minus'})", "duration", entry, needed)
    return Shift(inner.read, inner.parse, sign)


condition_words: Final = ("is", "is_not", "filled")


def condition(where: str, entry: Any, needed: Needed) -> Callable[[Row], bool]:
    """A test of rows: column `is` or `is_not` one of some texts, or is `filled` or not. Raises MappingFault."""
    if not isinstance(entry, dict) or len(words := [word for word in condition_words if word in entry]) != 1:
        raise MappingFault(f"{where}: needs a column and one of {', '.join(condition_words)}")
    if entry.keys() - {"column", words[0]}:
        raise MappingFault(f"{where}: knows only column and one of {', '.join(condition_words)}")
    column = needed.column(entry.get("column"), where)
    word, wanted = words[0], entry[words[0]]
    if word == "filled":
        if not isinstance(wanted, bool):
            raise MappingFault(f"{where}: filled must be true or false")
        return lambda row: bool(row.cell(column).strip()) is wanted
    texts = frozenset(map(str, _list(wanted)))
    return partial(_among, column, texts, word == "is")


def _among(column: str, texts: frozenset[str], wanted: bool, row: Row) -> bool:
    return (row.cell(column).strip() in texts) is wanted
