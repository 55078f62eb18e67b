"""Numbers as Avro writes them: seven bits a byte, the lowest first. A negative one is folded among the positive by its reader."""

from typing import Final

LONG_BITS: Final = 64


class NotAvro(ValueError):
    """The bytes are not Avro of the schema."""


def number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of several bytes, or of one, and the position behind it."""
    byte = data[at]
    found, shift = byte & 0x7F, 7
    while byte >= 0x80:
        at += 1
        byte = data[at]
        found |= (byte & 0x7F) << shift
        shift += 7
        if not byte or shift > LONG_BITS + 6:
            raise NotAvro
    if found >> LONG_BITS:
        raise NotAvro
    return found, at + 1
