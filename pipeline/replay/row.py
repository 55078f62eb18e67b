"""What a row is, one that is none, and how a file of them is written."""

from dataclasses import dataclass, field
from typing import Final

ROW_CHARS: Final = 200_000
TOO_LONG: Final = f"longer than {ROW_CHARS} characters"
TOO_LONG_WITH_NAMES: Final = f"is longer than {ROW_CHARS} characters with all its names"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. `columns` are the names where no header line has them; `delimiter` and `quote` are for csv.

    With `may_lack_columns` a column that the header line does not have is empty. `records` is for JSON: the dotted name
    of the list of records within a document, `unpack` has the keys of a record whose text is JSON itself, and what that is
    called.
    """

    format: str = "csv"
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None
    skip_lines: int = 0
    may_lack_columns: bool = False
    records: str = ""
    unpack: tuple[tuple[str, str], ...] = ()

    @property
    def decoder(self) -> str:
        """The encoding to read with: a byte order mark is no part of the first column's name."""
        return "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line that it begins on, its number among the rows (both from 1), and its cells by column.

    `around` is what surrounds it in its document, `entry` the one that is at hand where a row is taken apart. `text` is what a
    row of delimited text is made of.
    """

    line: int
    number: int
    cells: dict[str, str]
    around: dict[str, str] = field(default_factory=dict)
    entry: dict[str, str] = field(default_factory=dict)
    text: str = field(default="", compare=False, repr=False)

    def cell(self, column: str) -> str:
        """The text of a column; empty where there is none."""
        if self.entry or self.around:
            return self.entry.get(column) or self.around.get(column) or self.cells.get(column, "")
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that is none, why, and its text as far as it was read."""

    line: int
    number: int
    reason: str
    text: str
