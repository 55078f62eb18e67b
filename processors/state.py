"""State of persons, packed: one layout byte, then the body of that layout. Small in memory, ready for the changelog as it is.

Layout 1 was MessagePack alone. Layout 2 is the same MessagePack as an LZ4 block: nine-byte times with equal beginnings, channel
names and scales that come again in every run of a person, and what is empty, fold together.

Whoever changes the body raises LAYOUT and gives UPGRADES a function from the body before to the new one. Bodies of every layout
that was ever written stay in the tests, so an old changelog is read for ever; it is written in the new layout as persons change.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import lz4.block
import msgspec

from processors.cell import Cell

LAYOUT: Final = 2


class StateTooNew(Exception):
    """The changelog was written by a newer version of touchstream; this one must not touch it."""


class StateUnreadable(Exception):
    """What should be the state of a person is none: a fault of this installation."""


class Person(msgspec.Struct, array_like=True, gc=False):
    """One person's cells by name, and the last offset of the source partition that was applied to them."""

    applied: int = -1
    cells: dict[str, Cell] = msgspec.field(default_factory=dict)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Person).decode
_compress: Callable[[bytes], bytes] = lz4.block.compress
_decompress: Callable[[bytes], bytes] = lz4.block.decompress
_MARK: Final = bytes((LAYOUT,))


def _compressed(body: bytes) -> bytes:
    """Layout 1 to 2."""
    return _compress(body)


# From a layout's body to the body of the next one.
UPGRADES: Final[Mapping[int, Callable[[bytes], bytes]]] = MappingProxyType({1: _compressed})


def pack(person: Person) -> bytes:
    """The person's state as bytes of the current layout."""
    return _MARK + _compress(_encode(person))


def check(packed: bytes) -> None:
    """Look at the layout alone. Raises StateTooNew for one that this version does not know, StateUnreadable for none."""
    layout = packed[0] if packed else 0
    if layout > LAYOUT:
        raise StateTooNew(
            f"the state has layout {layout}, this version of touchstream knows {LAYOUT}: run the version that wrote it"
        )
    if layout < 1:
        raise StateUnreadable("the state of a person begins with no layout: the changelog holds what is not ours")


def unpack(packed: bytes) -> Person:
    """The person's state, whatever layout it was written in. Raises StateTooNew, StateUnreadable."""
    body = packed[1:]
    if packed[:1] != _MARK:
        check(packed)
        for layout in range(packed[0], LAYOUT):
            body = UPGRADES[layout](body)
    try:
        return _decode(_decompress(body))
    except (lz4.block.LZ4BlockError, msgspec.DecodeError, ValueError) as error:
        raise StateUnreadable("the state of a person cannot be read: its bytes are damaged") from error
