"""State of persons, packed: one layout byte, then MessagePack. Small in memory, and ready for the changelog as it is."""

import msgspec

from processors.cell import Cell

LAYOUT = 1


class StateTooNew(Exception):
    """The changelog was written by a newer version of touchstream; this one must not touch it."""


class Person(msgspec.Struct, array_like=True):
    """One person's cells by name, and the last offset of the source partition that was applied to them."""

    applied: int = -1
    cells: dict[str, Cell] = msgspec.field(default_factory=dict)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Person)


def pack(person: Person) -> bytes:
    """The person's state as bytes of the current layout."""
    return bytes((LAYOUT,)) + _encoder.encode(person)


def check(packed: bytes) -> None:
    """Look at the layout alone. Raises StateTooNew for one that this version does not know."""
    if packed[0] != LAYOUT:
        raise StateTooNew(
            f"the state has layout {packed[0]}, this version of touchstream knows {LAYOUT}: run the version that wrote it"
        )


def unpack(packed: bytes) -> Person:
    """The person's state. Raises StateTooNew for a layout that this version does not know."""
    check(packed)
    return _decoder.decode(memoryview(packed)[1:])
