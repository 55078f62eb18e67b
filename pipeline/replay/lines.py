"""The lines of a text with their numbers and faults, whatever they come from."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.replay.row import ROW_CHARS, TOO_LONG

_BROKEN: Final = (EOFError, UnicodeError)
_KEPT_CHARS: Final = 200
_NO_TEXT: Final = re.compile("[\ud800-\udfff]")


class FileFault(Exception):
    """The file is not what the mapping says, or only up to some line.

    Its text ends with `seen`, which quotes the file and is for whoever gave it only; `plain` is the text without that.
    """

    def __init__(self, plain: str, seen: str = "") -> None:
        super().__init__(plain + seen)
        self.plain = plain


class Unreadable(FileFault):
    """The file cannot be read: it is not there, is no file, may not be read, or the disk fails."""


class Source(Protocol):
    """Text that is read piece by piece, bad bytes as lone surrogates. Raises EOFError where it breaks off, and OSError."""

    def readline(self, size: int, /) -> str:
        """The next line with its end, or `size` characters of it; empty after the last one."""

    def read(self, size: int, /) -> str:
        """The next `size` characters, or all that are left."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and what is wrong with it if anything is."""

    number: int
    text: str
    fault: str | None = None


class _Ahead:
    """Text that was read before its turn, and then the rest."""

    def __init__(self, text: str, rest: Source) -> None:
        self._read = io.StringIO(text, newline="")
        self._rest = rest

    def readline(self, size: int, /) -> str:
        line = self._read.readline(size)
        whole = len(line) == size or line.endswith(("\n", "\r"))
        return line if whole else line + self._rest.readline(size - len(line))

    def read(self, size: int, /) -> str:
        text = self._read.read(size)
        return text + self._rest.read(size - len(text))


class Lines:
    """The lines of a file with their numbers; one that is too long or not in the encoding comes with its fault.

    Of one that is too long `kept` characters are kept at least.
    """

    def __init__(self, source: Source, what: str, kept: int = _KEPT_CHARS) -> None:
        self._source = source
        self._what = what
        self._kept = kept
        self._number = 0

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        self._number += 1
        line = self._read()
        if not line:
            raise StopIteration
        if len(line) >= ROW_CHARS:
            return Line(self._number, self._long(line), TOO_LONG)
        if "\0" in line:
            return Line(self._number, line, "holds a NUL byte")
        if not line.isascii() and _NO_TEXT.search(line):
            return Line(self._number, line, "holds bytes that are not in the file's encoding")
        return Line(self._number, line)

    @property
    def number(self) -> int:
        """The number of the last line that was read."""
        return self._number

    def rest(self, limit: int) -> str | None:
        """All text that is left; None when that is more than `limit` characters: then it can be read by lines still."""
        text = self._guarded(self._source.read, limit + 1, self._number + 1)
        if len(text) > limit:
            self._source = _Ahead(text, self._source)
            return None
        return text

    def _long(self, line: str) -> str:
        parts, chars = [line[: self._kept]], len(line)
        while line and not line.endswith(("\n", "\r")):
            line = self._read()
            if chars < self._kept:
                parts.append(line)
            chars += len(line)
        return "".join(parts)

    def _read(self) -> str:
        return self._guarded(self._source.readline, ROW_CHARS, self._number)

    def _guarded(self, read: Callable[[int], str], size: int, line: int) -> str:
        try:
            return read(size)
        except _BROKEN as error:
            kind = "is not in its encoding" if isinstance(error, UnicodeError) else "breaks off"
            raise FileFault(f"{self._what} {kind} at line {line}") from None
        except OSError as error:
            raise Unreadable(f"cannot read {self._what} at line {line}: {error.strerror}") from None
