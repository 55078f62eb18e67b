"""Text into rows: delimited text, words or JSON. Pure: no file is opened here. A bad row never stops what comes after it."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.replay import documents
from pipeline.replay.lines import FileFault, Line, Lines, Source
from pipeline.replay.row import ROW_CHARS, BadRow, Layout, Row

MOST_COLUMNS: Final = 5_000
# What may be read a second time behind quotes that are not closed: so much at first, and more for each character that is new.
_AT_FIRST: Final = 4_000_000
_FOR_NEW: Final = 4
_LINE_COSTS: Final = 32


def rows_of(source: Source, layout: Layout, needed: frozenset[str], what: str) -> Iterator[Row | BadRow]:
    """The rows of a text in its order; `what` names it in errors.

    Raises FileFault when the text breaks off, or when a column of `needed` is not there.
    """
    lines = Lines(source, what)
    for _ in range(layout.skip_lines):
        next(lines, None)
    if layout.format == "jsonl":
        yield from documents.of_lines(lines, layout)
    elif layout.format == "json":
        yield from documents.of_text(lines, layout)
    else:
        yield from Table(lines, layout, needed, what)


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]
    text: str
    fault: str | None = None


def _words(lines: Lines) -> Iterator[_Record]:
    for line in lines:
        cells = line.text.split()
        if cells:
            yield _Record(line.number, cells, line.text, line.fault)


class _Quoted:
    """Records of delimited text. A quote that is never closed costs its own line, not the rest of the file.

    Where that would mean reading nearly everything again and again, it costs the lines up to where its end was looked for.
    """

    def __init__(self, lines: Lines, layout: Layout) -> None:
        self._lines = lines
        self._quoting = {"quotechar": layout.quote} if layout.quote else {"quoting": csv.QUOTE_NONE}
        self._delimiter = layout.delimiter
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
        self._chars = 0
        self._may_read_again = _AT_FIRST

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
                fault = "a quote is not closed" if "end of data" in str(error) else "its quotes do not fit"
                self._give_back()
                yield self._record([], fault)
                reader = self._reader()
                continue
            if cells or self._taken[0].fault:
                yield self._record(cells, None)

    def _record(self, cells: list[str], fault: str | None) -> _Record:
        first = self._taken[0]
        text = first.text if len(self._taken) == 1 else "".join(line.text for line in self._taken)
        return _Record(first.number, cells, text, first.fault or fault)

    def _give_back(self) -> None:
        """The lines behind the first, to be read again, unless that has been done too often."""
        costs = self._chars + _LINE_COSTS * len(self._taken)
        if len(self._taken) > 1 and costs <= self._may_read_again:
            self._may_read_again -= costs
            self._again.extendleft(reversed(self._taken[1:]))
            del self._taken[1:]

    def _reader(self) -> Any:
        return csv.reader(self._feed(), delimiter=self._delimiter, strict=True, **self._quoting)

    def _feed(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else self._new()
            if line is None:
                return
            if self._taken and (line.fault or self._chars > ROW_CHARS):
                self._again.appendleft(line)
                return
            self._taken.append(line)
            self._chars += len(line.text)
            yield "\n" if line.fault else line.text

    def _new(self) -> Line | None:
        line = next(self._lines, None)
        if line is not None:
            self._may_read_again += _FOR_NEW * len(line.text)
        return line


class Table:
    """The rows of delimited text or of words. Iterating raises FileFault when the text breaks off, or when a column lacks."""

    def __init__(self, lines: Lines, layout: Layout, needed: frozenset[str], what: str) -> None:
        self.head = ""
        """The header line, once the first row was asked for; empty where the layout has the columns."""
        self._records = iter(_Quoted(lines, layout) if layout.format == "csv" else _words(lines))
        self._layout = layout
        self._needed = needed
        self._what = what

    def __iter__(self) -> Iterator[Row | BadRow]:
        columns = self._columns()
        for number, record in enumerate(self._records, 1):
            if record.fault:
                yield BadRow(record.line, number, record.fault, record.text)
            elif len(record.cells) != len(columns):
                reason = f"has {len(record.cells)} cells instead of {len(columns)}"
                yield BadRow(record.line, number, reason, record.text)
            else:
                cells = dict(zip(columns, record.cells, strict=True))
                yield Row(record.line, number, cells, text=record.text)

    def _columns(self) -> tuple[str, ...]:
        columns = self._layout.columns or self._header()
        if len(columns) > MOST_COLUMNS:
            raise FileFault(f"{self._what} has more than {MOST_COLUMNS} columns")
        needed = self._needed & set(columns) if self._layout.may_lack_columns else self._needed
        lacking = sorted(needed - set(columns))
        if lacking:
            raise FileFault(f"{self._what} has no column {', '.join(lacking)}", f"; it has {', '.join(columns)[:500]}")
        doubled = sorted(name for name in needed if columns.count(name) > 1)
        if doubled:
            raise FileFault(f"{self._what} has the column {', '.join(doubled)} more than once")
        return columns

    def _header(self) -> tuple[str, ...]:
        head = next(self._records, None)
        if head is None:
            raise FileFault(f"{self._what} is empty: it has no header line")
        if head.fault:
            raise FileFault(f"{self._what} has no usable header line: line {head.line} {head.fault}")
        self.head = head.text
        return tuple(cell.strip() for cell in head.cells)
