"""Files into rows: delimited text, words or JSON lines, gzipped or not. A bad row never stops the file."""

import csv
import gzip
import io
import json
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROW_CHARS: Final = 200_000
_GZIP: Final = b"\x1f\x8b"
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError)


class FileFault(Exception):
    """The file is not what the mapping says, or only up to some line."""


class Unreadable(FileFault):
    """The file cannot be read: it is not there, is no file, may not be read, or the disk fails."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. `columns` are the names where no header line has them; `delimiter` and `quote` are for csv."""

    format: str = "csv"
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None
    skip_lines: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line that it begins on, its number among the rows (both from 1), and its cells by column."""

    line: int
    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that is none, why, and its text as far as it was read."""

    line: int
    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    fault: str | None = None


def read_rows(path: Path, layout: Layout, needed: frozenset[str] = frozenset()) -> Iterator[Row | BadRow]:
    """The rows of a file in its order. Raises FileFault, also when a column of `needed` is not there."""
    with _opened(path, layout.encoding) as text:
        lines = _Lines(text, path)
        for _ in range(layout.skip_lines):
            next(lines, None)
        if layout.format == "jsonl":
            yield from _json_rows(lines)
        else:
            records = _Quoted(lines, layout) if layout.format == "csv" else _words(lines)
            yield from _table(path, records, layout.columns, needed)


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from None
    with raw:
        try:
            packed = raw.peek(2)[:2] == _GZIP
        except OSError as error:
            raise Unreadable(f"cannot read {path}: {error.strerror}") from None
        plain: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        # A byte order mark is no part of the first column's name; bad bytes must cost their own row only.
        name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        yield io.TextIOWrapper(plain, encoding=name, errors="surrogateescape", newline="")


class _Lines:
    """The lines of a file with their numbers; one that is too long or not in the encoding comes with its fault."""

    def __init__(self, text: io.TextIOWrapper, path: Path) -> None:
        self._text = text
        self._path = path
        self._number = 0

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        self._number += 1
        line = self._read()
        if not line:
            raise StopIteration
        if len(line) >= ROW_CHARS:
            self._skip_rest(line)
            return _Line(self._number, line[:200], f"longer than {ROW_CHARS} characters")
        if "\0" in line:
            return _Line(self._number, line, "holds a NUL byte")
        if not line.isascii() and any("\ud800" <= sign <= "\udfff" for sign in line):
            return _Line(self._number, line, "holds bytes that are not in the file's encoding")
        return _Line(self._number, line)

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._read()

    def _read(self) -> str:
        try:
            return self._text.readline(ROW_CHARS)
        except _BROKEN as error:
            kind = "is not in its encoding" if isinstance(error, UnicodeDecodeError) else "breaks off"
            raise FileFault(f"{self._path} {kind} at line {self._number}") from None
        except OSError as error:
            raise Unreadable(f"cannot read {self._path} at line {self._number}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]
    text: str
    fault: str | None = None


def _words(lines: _Lines) -> Iterator[_Record]:
    for line in lines:
        cells = line.text.split()
        if cells:
            yield _Record(line.number, cells, line.text, line.fault)


class _Quoted:
    """Records of delimited text. A quote that is never closed costs its own line, not the rest of the file."""

    def __init__(self, lines: _Lines, layout: Layout) -> None:
        self._lines = lines
        self._quoting = {"quotechar": layout.quote} if layout.quote else {"quoting": csv.QUOTE_NONE}
        self._delimiter = layout.delimiter
        self._again: deque[_Line] = deque()
        self._taken: list[_Line] = []
        self._chars = 0

    def __iter__(self) -> Iterator[_Record]:
        csv.field_size_limit(ROW_CHARS)
        reader = self._reader()
        while True:
            self._taken, self._chars = [], 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._again.extendleft(reversed(self._taken[1:]))
                fault = "a quote is not closed" if "end of data" in str(error) else "its quotes do not fit"
                yield _Record(self._taken[0].number, [], self._taken[0].text, self._taken[0].fault or fault)
                reader = self._reader()
                continue
            first = self._taken[0]
            if cells or first.fault:
                yield _Record(first.number, cells, first.text, first.fault)

    def _reader(self) -> Any:
        return csv.reader(self._feed(), delimiter=self._delimiter, strict=True, **self._quoting)

    def _feed(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            if self._taken and (line.fault or self._chars > ROW_CHARS):
                self._again.appendleft(line)
                return
            self._taken.append(line)
            self._chars += len(line.text)
            yield "\n" if line.fault else line.text


def _table(path: Path, records: Any, columns: tuple[str, ...] | None, needed: frozenset[str]) -> Iterator[Row | BadRow]:
    supply = iter(records)
    if columns is None:
        head = next(supply, None)
        if head is None:
            raise FileFault(f"{path} is empty: it has no header line")
        if head.fault:
            raise FileFault(f"{path} has no usable header line: line {head.line} {head.fault}")
        columns = tuple(cell.strip() for cell in head.cells)
    lacking = sorted(needed - set(columns))
    if lacking:
        raise FileFault(f"{path} has no column {', '.join(lacking)}; it has {', '.join(columns)[:500]}")
    doubled = sorted(name for name in needed if columns.count(name) > 1)
    if doubled:
        raise FileFault(f"{path} has the column {', '.join(doubled)} more than once")
    for number, record in enumerate(supply, 1):
        if record.fault:
            yield BadRow(record.line, number, record.fault, record.text)
        elif len(record.cells) != len(columns):
            reason = f"has {len(record.cells)} cells instead of {len(columns)}"
            yield BadRow(record.line, number, reason, record.text)
        else:
            yield Row(record.line, number, dict(zip(columns, record.cells, strict=True)))


def _json_rows(lines: _Lines) -> Iterator[Row | BadRow]:
    number = 0
    for line in lines:
        if not line.text.strip():
            continue
        number += 1
        if line.fault:
            yield BadRow(line.number, number, line.fault, line.text)
            continue
        try:
            # Numbers stay text, so that a sum of money keeps every digit.
            value = json.loads(line.text, parse_float=str, parse_int=str, parse_constant=str)
            cells = dict(_flat("", value)) if isinstance(value, dict) else None
            "".join(cells.values() if cells else ()).encode()
        except UnicodeEncodeError:
            yield BadRow(line.number, number, "holds half a character", line.text)
            continue
        except (ValueError, RecursionError):
            yield BadRow(line.number, number, "is not JSON", line.text)
            continue
        if cells is None:
            yield BadRow(line.number, number, "is not a JSON object", line.text)
        else:
            yield Row(line.number, number, cells)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Names of nested values are joined by dots; elements of lists are numbered from 0."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(f"{name}.{index}" if name else str(index), inner)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)
