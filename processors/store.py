"""The state of one partition of a stage: packed values by key. The active ones in memory, all of them on a shelf.

A value goes through four stations: changed (`put`), told to the changelog (`changes`), committed, saved. Only committed values are
ever saved, so a shelf holds the state as of one committed transaction, whatever has been folded since. Without a shelf everything
stays in memory.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

import msgspec

# A state key of a stage never begins with a zero byte.
HEADER: Final = b"\0header"
# The layout of what the store itself and the stages' derived values look like on a shelf; an older or newer one is thrown away.
LAYOUT: Final = 1
# What CPython takes for one more entry beside the bytes themselves: two bytes objects and its share of the dict.
ENTRY_BYTES: Final = 66 + 90
SLICE: Final = 20_000
EVICT_TO: Final = 0.75

Changes = dict[bytes, bytes | None]


class Position(msgspec.Struct, frozen=True):
    """How far a committed state goes: next offset of the changelog, next offset to apply by source topic, and when (ms, UTC)."""

    changelog: int
    applied: dict[str, int]
    at: int


class Header(msgspec.Struct, frozen=True):
    """What a shelf says of itself: of which log it is the state (`origin`), and how many told keys it holds (`count`)."""

    layout: int
    origin: str
    position: Position
    count: int


_header = msgspec.msgpack.Decoder(Header)


class Shelf(Protocol):
    """Where committed values are saved: larger and slower than memory."""

    def get(self, key: bytes) -> bytes | None:
        """The saved value. Raises ShelfDamaged."""

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Save all of it or nothing, None for what is gone. Raises ShelfDamaged."""

    def clear(self) -> None:
        """Throw everything away. Raises ShelfDamaged, OSError."""

    def close(self) -> None:
        """Let go of it; what was written stays. Raises ShelfDamaged when that is not sure."""


class ShelfDamaged(Exception):
    """The shelf cannot be read or written: it must be thrown away and the state be read back from the changelog."""


class ShelfUnusable(Exception):
    """What the shelf holds is sound but not for us: another layout, or the state of another log."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to save: so many bytes or milliseconds after the last time. And how many bytes may be held in memory."""

    unsaved: int = 8 << 20
    every_ms: int = 30_000
    held: int = 64 << 20


@dataclass(slots=True)
class _Told:
    """What one transaction changes, and how many keys there are after it."""

    changes: Changes
    count: int


@dataclass(slots=True)
class Store:
    """See the module. Keys and values are bytes; a key that begins with a zero byte is the store's own."""

    shelf: Shelf | None = None
    limits: Limits = field(default_factory=Limits)
    _held: Changes = field(default_factory=dict)
    _changed: Changes = field(default_factory=dict)
    _local: Changes = field(default_factory=dict)
    _told: deque[_Told] = field(default_factory=deque)
    _unsaved: Changes = field(default_factory=dict)
    _unsaved_bytes: int = 0
    _held_bytes: int = 0
    _count: int = 0
    _committed_count: int = 0
    _position: Position | None = None
    _origin: str = ""
    _saved_at: int = 0
    _blank: bool = False

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_held(self) -> int:
        """About how many bytes of memory it takes."""
        return self._held_bytes

    def get(self, key: bytes) -> bytes | None:
        """The newest value, committed or not."""
        held = self._held.get(key)
        if held is not None or self.shelf is None or self._blank or key in self._held:
            return held
        found = self.shelf.get(key)
        if found is not None:
            self._hold(key, found)
        return found

    def put(self, key: bytes, value: bytes) -> None:
        """Change a value; the changelog hears of it."""
        if self.get(key) is None:
            self._count += 1
        self._hold(key, value)
        self._changed[key] = value

    def delete(self, key: bytes) -> None:
        """Take a value away; the changelog hears of it, also where there was none."""
        if self.get(key) is not None:
            self._count -= 1
        self._hold(key, None)
        self._changed[key] = None

    def put_local(self, key: bytes, value: bytes | None) -> None:
        """Change something that follows from the told values: saved together with them, never told, not counted."""
        self._hold(key, value)
        if self.shelf is not None:
            self._local[key] = value
        elif value is None:
            self._settle({key: None})

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call: one transaction's changes. Each call is answered by `committed`."""
        found = list(self._changed.items())
        self._told.append(_Told(self._changed | self._local if self._local else self._changed, self._count))
        self._changed, self._local = {}, {}
        return found

    def committed(self, position: Position) -> None:
        """The oldest transaction that was told and not committed yet has been committed; the state goes up to `position`."""
        told = self._told.popleft()
        self._committed_count, self._position = told.count, position
        if self.shelf is None:
            self._settle(told.changes)
            return
        self._wait(told.changes)
        if self._unsaved_bytes > self.limits.unsaved or position.at - self._saved_at >= self.limits.every_ms:
            self.save(position.at)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the changelog; a later one of the same key replaces it, None removes it.

        It may be one that the shelf has already: replacing twice is replacing once, so a shelf that was written to in the midst
        of a restore, and a tail that begins too early, do no harm.
        """
        enough = self.limits.held if self._blank else self.limits.unsaved
        if self._unsaved_bytes > enough:  # before, never between a value and what follows from it
            self._committed_count = self._count
            self._write()
        before = self.get(key)
        if (before is None) != (value is None):
            self._count += 1 if before is None else -1
        self.restore_local(key, value)

    def restore_local(self, key: bytes, value: bytes | None) -> None:
        """Put back what follows from the value that was restored last."""
        self._hold(key, value)
        if self.shelf is None:
            if value is None:
                self._settle({key: None})
        else:
            self._unsaved[key] = value
            self._unsaved_bytes += _size(key, value)

    def restored(self, position: Position) -> None:
        """The changelog has been read up to `position`: from now on the shelf, if there is one, is good for a restart."""
        self._committed_count, self._position = self._count, position
        self.save(position.at)

    def save(self, now: int) -> None:
        """Save what is committed, as of `now` (milliseconds since epoch, UTC), and forget what has not been changed for long."""
        if self._position is not None:
            self._position = msgspec.structs.replace(self._position, at=now)
            self._saved_at = now
            self._write()

    def begin(self, origin: str) -> Position | None:
        """Go on from what the shelf holds of the log `origin`. Returns how far that goes; None when it holds nothing.

        Raises ShelfUnusable, ShelfDamaged.
        """
        self._origin = origin
        packed = self.shelf.get(HEADER) if self.shelf is not None else None
        if packed is None:
            return None
        try:
            header = _header.decode(packed)
        except msgspec.DecodeError as error:
            raise ShelfUnusable("its header cannot be read") from error
        if header.layout != LAYOUT:
            raise ShelfUnusable(f"it has layout {header.layout}, this version of touchstream knows {LAYOUT}")
        if header.origin != origin:
            raise ShelfUnusable("it was saved for another cluster or for a topic that was made anew")
        self._count = self._committed_count = header.count
        self._position = header.position
        return header.position

    def reset(self) -> None:
        """Forget everything, on the shelf too. Raises ShelfDamaged, OSError."""
        if self.shelf is not None:
            self.shelf.clear()
        for part in (self._held, self._changed, self._local, self._told, self._unsaved):
            part.clear()
        self._held_bytes = self._unsaved_bytes = self._count = self._committed_count = 0
        self._position = None
        self._blank = True  # until the first save nothing need be looked for on the shelf

    def abandon(self) -> None:
        """Let go of the shelf without saving; the store is used up. One that is damaged is found so at its next opening."""
        if self.shelf is not None:
            with suppress(ShelfDamaged):
                self.shelf.close()

    def close(self, now: int) -> None:
        """Save what is committed and let go of the shelf; the store is used up. Raises ShelfDamaged."""
        if self.shelf is not None:
            try:
                self.save(now)
            finally:
                self.shelf.close()

    def _write(self) -> None:
        if self.shelf is None:
            return
        if self._blank:
            self._write_first(self.shelf)
        if self._position is not None:
            header = Header(LAYOUT, self._origin, self._position, self._committed_count)
            self._unsaved[HEADER] = msgspec.msgpack.encode(header)
        self.shelf.write(self._unsaved)
        saved, self._unsaved, self._unsaved_bytes = self._unsaved, {}, 0
        self._settle(saved)
        if self._held_bytes > self.limits.held:
            self._evict()

    def _write_first(self, shelf: Shelf) -> None:
        """Before a shelf has a header nobody goes on from it, so a restored state need not be saved in one piece."""
        unsaved, self._unsaved, self._blank = self._unsaved, {}, False
        entries = iter(unsaved.items())
        while part := dict(islice(entries, SLICE)):
            shelf.write(part)
        self._settle(unsaved)

    def _wait(self, changes: Changes) -> None:
        self._unsaved.update(changes)
        self._unsaved_bytes += sum(map(_size, changes.keys(), changes.values()))

    def _hold(self, key: bytes, value: bytes | None) -> None:
        """Last in line to be forgotten."""
        if key in self._held:
            self._held_bytes += len(value or b"") - len(self._held.pop(key) or b"")
        else:
            self._held_bytes += _size(key, value)
        self._held[key] = value

    def _settle(self, saved: Changes) -> None:
        """What is gone for good need not be remembered as gone."""
        for key, value in saved.items():
            if value is None and key in self._held and not self._is_open(key):
                self._held_bytes -= _size(key, self._held.pop(key))

    def _evict(self) -> None:
        least, gone = self.limits.held * EVICT_TO, []
        left = self._held_bytes
        for key, value in self._held.items():
            if left <= least:
                break
            if not self._is_open(key):
                gone.append(key)
                left -= _size(key, value)
        for key in gone:
            del self._held[key]
        self._held_bytes = left

    def _is_open(self, key: bytes) -> bool:
        """Memory alone knows the newest value of it."""
        return (
            key in self._changed
            or key in self._local
            or key in self._unsaved
            or any(key in told.changes for told in self._told)
        )


def _size(key: bytes, value: bytes | None) -> int:
    return ENTRY_BYTES + len(key) + len(value or b"")
