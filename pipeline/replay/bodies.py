"""A body in memory into the rows of a mapping. Pure, and safe with any bytes: whatever is wrong is a BadRow."""

import io
from collections.abc import Iterator

from pipeline.replay.lines import FileFault
from pipeline.replay.plan import Mapping
from pipeline.replay.records import rows_of
from pipeline.replay.row import BadRow, Row


def records_of(mapping: Mapping, body: bytes) -> Iterator[Row | BadRow]:
    """The rows of a body, as `mapping` says it is written, in its order. Raises nothing.

    A body that is not what the mapping says, as one without its columns, ends with a BadRow that says so. No reason quotes
    the body. It is not unpacked: that is the business of whoever took it in.
    """
    text = io.TextIOWrapper(io.BytesIO(body), mapping.layout.decoder, errors="surrogateescape", newline="")
    line, number = 1, 0
    try:
        for row in rows_of(text, mapping.layout, mapping.columns, "the body"):
            line, number = row.line, row.number
            yield row
    except FileFault as fault:
        yield BadRow(line, number + 1, fault.plain, "")
