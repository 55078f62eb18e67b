"""A body of another system into the rows of a mapping, each with its own bytes. Pure, and safe with any bytes."""

import io
from collections.abc import Iterator
from typing import Final

from pipeline.events import Rejection
from pipeline.intake import mapped_json
from pipeline.intake.bodies import TooManyEvents
from pipeline.intake.judging import too_large
from pipeline.intake.mapped_rows import Bounds, Piece, misfit
from pipeline.replay.lines import FileFault, Lines
from pipeline.replay.plan import Mapping
from pipeline.replay.records import Table
from pipeline.replay.row import BadRow, Layout, Row

LINES_OF_A_ROW: Final = 10
"""So many lines a row of delimited text may have on average, where there are as many rows as there may be."""


def pieces(mapping: Mapping, body: bytes, bounds: Bounds) -> Iterator[Piece]:
    """The rows of a body, as `mapping` says it is written, in its order. No reason quotes the body.

    Raises TooManyEvents, also after the first rows, and BodyUnreadable. It is not unpacked: that is the business of whoever
    took it in.
    """
    found = mapped_json.pieces if mapping.layout.format in ("json", "jsonl") else _of_table
    for number, piece in enumerate(found(mapping, body, bounds)):
        if number >= bounds.rows:
            raise TooManyEvents
        yield piece


def _of_table(mapping: Mapping, body: bytes, bounds: Bounds) -> Iterator[Piece]:
    layout = mapping.layout
    if body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n") > LINES_OF_A_ROW * bounds.rows:
        raise TooManyEvents
    text = io.TextIOWrapper(io.BytesIO(body), layout.decoder, errors="surrogateescape", newline="")
    lines = Lines(text, "the body", kept=len(body))
    table, head = Table(lines, layout, mapping.columns, "the body"), None
    try:
        for _ in range(layout.skip_lines):
            next(lines, None)
        for row in table:
            head, own = head or _written(table.head, layout), _written(row.text, layout)
            yield Piece(_judged(row, len(own), mapping, bounds), (head, own))
    except FileFault as fault:
        yield Piece(misfit(mapping, fault.plain), (body,))


def _judged(row: Row | BadRow, size: int, mapping: Mapping, bounds: Bounds) -> Row | Rejection:
    if size > bounds.row_bytes:
        return too_large(size, bounds.row_bytes)
    return row if isinstance(row, Row) else misfit(mapping, row.reason)


def _written(text: str, layout: Layout) -> bytes:
    try:
        return text.encode(layout.encoding, "surrogateescape")
    except UnicodeError:  # some encodings read what they do not write
        return text.encode("utf-8", "surrogatepass")
