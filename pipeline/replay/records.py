"""Text into rows: delimited text, words or JSON. Pure: no file is opened here. A bad row never stops what comes after it."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.replay import documents
from pipeline.replay.lines import FileFault, Line, Lines, Source
from pipeline.replay.row import ROW_CHARS, BadRow, Layout, Row


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
        records = _Quoted(lines, layout) if layout.format == "csv" else _words(lines)
        yield from _table(what, records, layout, needed)


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
    """Records of delimited text. A quote that is never closed costs its own line, not the rest of the file."""

    def __init__(self, lines: Lines, layout: Layout) -> None:
        self._lines = lines
        self._quoting = {"quotechar": layout.quote} if layout.quote else {"quoting": csv.QUOTE_NONE}
        self._delimiter = layout.delimiter
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
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


def _table(what: str, records: Any, layout: Layout, needed: frozenset[str]) -> Iterator[Row | BadRow]:
    supply, columns = iter(records), layout.columns
    if columns is None:
        head = next(supply, None)
        if head is None:
            raise FileFault(f"{what} is empty: it has no header line")
        if head.fault:
            raise FileFault(f"{what} has no usable header line: line {head.line} {head.fault}")
        columns = tuple(cell.strip() for cell in head.cells)
    if layout.may_lack_columns:
        needed &= set(columns)
    lacking = sorted(needed - set(columns))
    if lacking:
        raise FileFault(f"{what} has no column {', '.join(lacking)}", f"; it has {', '.join(columns)[:500]}")
    doubled = sorted(name for name in needed if columns.count(name) > 1)
    if doubled:
        raise FileFault(f"{what} has the column {', '.join(doubled)} more than once")
    for number, record in enumerate(supply, 1):
        if record.fault:
            yield BadRow(record.line, number, record.fault, record.text)
        elif len(record.cells) != len(columns):
            reason = f"has {len(record.cells)} cells instead of {len(columns)}"
            yield BadRow(record.line, number, reason, record.text)
        else:
            yield Row(record.line, number, dict(zip(columns, record.cells, strict=True)))
