"""Files into rows, gzipped or not. A bad row never stops the file."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pipeline.replay.lines import FileFault, Unreadable
from pipeline.replay.records import rows_of
from pipeline.replay.row import ROW_CHARS, BadRow, Layout, Row

__all__ = ["ROW_CHARS", "BadRow", "FileFault", "Layout", "Row", "Unreadable", "read_rows"]

_GZIP: Final = b"\x1f\x8b"


def read_rows(path: Path, layout: Layout, needed: frozenset[str] = frozenset()) -> Iterator[Row | BadRow]:
    """The rows of a file in its order. Raises FileFault, also when a column of `needed` is not there."""
    with _opened(path, layout.decoder) as text:
        yield from rows_of(text, layout, needed, str(path))


class _Unpacked:
    """The text of a file; where its packing is damaged it breaks off."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def readline(self, size: int, /) -> str:
        try:
            return self._text.readline(size)
        except (zlib.error, gzip.BadGzipFile):
            raise EOFError from None

    def read(self, size: int, /) -> str:
        try:
            return self._text.read(size)
        except (zlib.error, gzip.BadGzipFile):
            raise EOFError from None


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[_Unpacked]:
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
        # Bad bytes must cost their own row only.
        yield _Unpacked(io.TextIOWrapper(plain, encoding=encoding, errors="surrogateescape", newline=""))
