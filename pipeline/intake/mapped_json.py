"""JSON of other systems into rows: one document, one on each line, and the lists of records within them. Pure.

A body is split before any record of it is read, as one of touchpoints is: what is too large, or no JSON, costs only itself. What
the records of a document are read from has a bound of its own, so that nothing large is ever taken apart as a whole.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec

from pipeline.events import Reason, Rejection
from pipeline.intake import bodies
from pipeline.intake.judging import too_large
from pipeline.intake.mapped_rows import LONG, Bounds, Piece, misfit
from pipeline.intake.reading import loaded
from pipeline.replay.documents import NOTHING, Unflat, around_of, cells_of
from pipeline.replay.plan import Mapping
from pipeline.replay.row import ROW_CHARS, Row

_BLANK: Final = b" \t\r\n"
_MARK: Final = b"\xef\xbb\xbf"
_NO_TEXT: Final = b"\xff"
_KEY: Final = re.compile(rb'[ \t\r\n]*+[{,][ \t\r\n]*+"(?:[^"\\]++|\\.)*+"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_NO_JSON: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_TWICE: Final = Rejection(Reason.KEY_TWICE, "", "each key once in an object", "one that comes twice")
_NOT_UTF_8: Final = Rejection(Reason.TEXT_MALFORMED, "", "UTF-8", "bytes that are not")
_value: Final = msgspec.json.Decoder(msgspec.Raw)
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Refused(Exception):
    """A document cannot be taken apart."""

    def __init__(self, why: Rejection) -> None:
        super().__init__(why.expected)
        self.why = why


def pieces(mapping: Mapping, body: bytes, bounds: Bounds) -> Iterator[Piece]:
    """The rows of a body. Raises TooManyEvents, and BodyUnreadable for a list that is no JSON."""
    text = _text(mapping, body)
    if text.strip(_BLANK):
        reader = _Reader(mapping, bounds)
        for document in _documents(text, mapping, bounds.rows):
            yield from reader.document(document)


def _text(mapping: Mapping, body: bytes) -> bytes:
    """The body in UTF-8, without its mark, and without the lines that are skipped."""
    layout = mapping.layout
    if layout.decoder != "utf-8-sig":
        try:
            body = body.decode(layout.encoding).encode()
        except UnicodeError:
            return _NO_TEXT
    body = body.removeprefix(_MARK)
    for _ in range(layout.skip_lines):
        body = body.partition(b"\n")[2]
    return body


def _documents(text: bytes, mapping: Mapping, most: int) -> Iterator[bytes]:
    if mapping.layout.format == "jsonl":
        yield from bodies.lines(text, most)
        return
    if not _is_json(text):
        # Some of its lines may be documents; where none is, it is one broken document and not many.
        lines = bodies.lines(text, most) if b"\n" in text else []
        if any(line.lstrip(_BLANK).startswith((b"{", b"[")) and _is_json(line) for line in lines):
            for line in lines:
                yield from bodies.json_events(line, most) if _is_json(line) else [line]
            return
    yield from bodies.json_events(text, most)


def _is_json(text: bytes) -> bool:
    try:
        _value.decode(bodies.spelt(text))
    except _NO_JSON:
        return False
    return True


class _Reader:
    """Documents into rows, which are numbered through."""

    def __init__(self, mapping: Mapping, bounds: Bounds) -> None:
        self._mapping = mapping
        self._bounds = bounds
        self._path = tuple(mapping.layout.records.split(".")) if mapping.layout.records else ()
        self._number = 0

    def document(self, text: bytes) -> Iterator[Piece]:
        """The rows of one document. Raises TooManyEvents."""
        try:
            parts = _parts(text, self._path, self._bounds) if self._path else None
            if parts is None:
                yield self._piece(text, {}, (text,))
                return
            before, records, behind = parts
            around = self._around(before + b"null" + behind)
        except _Refused as refused:
            self._number += 1
            yield Piece(refused.why, (text,))
            return
        if not records.startswith(b"["):
            yield self._piece(records, around, (text,))
            return
        for record in bodies.json_events(records, self._bounds.rows):
            yield self._piece(record, around, (before, b"[", record, b"]", behind))

    def _piece(self, record: bytes, around: dict[str, str], parts: tuple[bytes, ...]) -> Piece:
        self._number += 1
        try:
            value = _strictly(record, self._bounds)
            return Piece(Row(1, self._number, cells_of(value, self._mapping.layout, _inner), around), parts)
        except _Refused as refused:
            return Piece(refused.why, parts)
        except Unflat as error:
            return Piece(misfit(self._mapping, str(error)), parts)

    def _around(self, text: bytes) -> dict[str, str]:
        try:
            return around_of(_strictly(text, self._bounds))
        except Unflat as error:
            raise _Refused(misfit(self._mapping, str(error))) from None


def _strictly(text: bytes, bounds: Bounds) -> Any:
    if len(text) > bounds.row_bytes:
        raise _Refused(too_large(len(text), bounds.row_bytes))
    value = loaded(text, str)
    if isinstance(value, Rejection):
        raise _Refused(value)
    return value


def _inner(text: str) -> Any:
    value = loaded(text.encode("utf-8", "surrogatepass"), str)
    if not isinstance(value, Rejection):
        return value
    if value.reason is Reason.KEY_TWICE:
        raise _Refused(value)
    return NOTHING


def _parts(document: bytes, path: tuple[str, ...], bounds: Bounds) -> tuple[bytes, bytes, bytes] | None:
    """What is before the records, the records themselves, and what is behind them; None where the path does not lead to any."""
    whole = bodies.spelt(document)
    try:
        found = _named(path[0]).decode(whole).found
    except _NO_JSON:
        return None
    inner = None if found is None else bytes(found)
    if inner is None or not inner.startswith((b"{", b"[") if len(path) == 1 else b"{"):
        return None
    before, records, behind = b"", inner, b""
    if len(path) > 1:
        parts = _parts(inner, path[1:], bounds)
        if parts is None:
            return None
        before, records, behind = parts
    if len(document) - len(records) > bounds.row_bytes:
        raise _Refused(too_large(len(document) - len(records), bounds.row_bytes))
    place = _place(whole, path[0])
    if not whole.startswith(inner, place):
        raise _Refused(_TWICE)
    first, last = place + len(before), place + len(inner) - len(behind)
    return document[:first], document[first:last], document[last:]


def _place(whole: bytes, name: str) -> int:
    """Where the value of a name begins in an object."""
    try:
        fields = _fields.decode(whole)
    except UnicodeDecodeError:
        raise _Refused(_NOT_UTF_8) from None
    if sum(map(len, fields)) + len("outer.") * len(fields) > ROW_CHARS:  # found before all of it is read
        raise _Refused(LONG)
    at = 0
    for key, raw in fields.items():
        named = _KEY.match(whole, at)
        if named is None:  # all begins somewhere else when what a name holds is not what it held at first
            break
        if key == name:
            return named.end()
        at = named.end() + len(raw)
    raise _Refused(_TWICE)


@cache
def _named(name: str) -> "msgspec.json.Decoder[Any]":
    """Reads one field of an object, as the text that it is."""
    return msgspec.json.Decoder(msgspec.defstruct("Named", [("found", msgspec.Raw, None)], rename={"found": name}))
