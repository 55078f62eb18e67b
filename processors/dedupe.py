"""Which event ids have been seen within the horizon. Exact; counted in arrival time, whatever the events' own times are.

The ids of one source topic's partition are kept in chunks by hour of arrival, so that the changelog holds few records and an
expired hour is a handful of tombstones.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

HOUR_MS: Final = 3_600_000
DIGEST_BYTES: Final = 16
CHUNK_IDS: Final = 256
ChunkName = tuple[int, int]


def digest(event_id: str) -> bytes:
    """128 bits of an event id: among a billion ids the chance of any collision is below 2e-21."""
    return hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


@dataclass(slots=True)
class Seen:
    """The ids of one source topic's partition. `horizon_h` is in hours of arrival."""

    horizon_h: int
    newest_hour: int = -1
    _hour_of: dict[bytes, int] = field(default_factory=dict)
    _chunks: dict[int, list[bytearray]] = field(default_factory=dict)
    _dirty: set[ChunkName] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._hour_of)

    def admit(self, event_id: str, arrived_at: int) -> bool:
        """Remember the id; False when it arrived before, within the horizon. `arrived_at` in milliseconds since epoch, UTC."""
        name, hour = digest(event_id), arrived_at // HOUR_MS
        if hour > self.newest_hour:
            self._expire(hour)
        before = self._hour_of.get(name)
        if before is not None and hour - before <= self.horizon_h:
            return False
        self._hour_of[name] = hour
        chunks = self._chunks.setdefault(hour, [])
        if not chunks or len(chunks[-1]) >= CHUNK_IDS * DIGEST_BYTES:
            chunks.append(bytearray())
        chunks[-1] += name
        self._dirty.add((hour, len(chunks) - 1))
        return True

    def restore(self, chunk: ChunkName, ids: bytes | None) -> None:
        """Take back what `changes` gave; the chunks of one hour in any order, a later one of the same name in its place."""
        hour, index = chunk
        chunks = self._chunks.setdefault(hour, [])
        chunks.extend(bytearray() for _ in range(index + 1 - len(chunks)))
        chunks[index] = bytearray(ids or b"")

    def restored(self) -> None:
        """Every chunk is back: make the ids known."""
        self._chunks = {hour: chunks for hour, chunks in sorted(self._chunks.items()) if any(chunks)}
        self.newest_hour = max(self._chunks, default=-1)
        for hour, chunks in self._chunks.items():
            for ids in chunks:
                self._hour_of.update((bytes(ids[i : i + DIGEST_BYTES]), hour) for i in range(0, len(ids), DIGEST_BYTES))

    def changes(self) -> dict[ChunkName, bytes | None]:
        """What has changed since the last call: chunk -> its ids, None for an expired one."""
        found = {chunk: self._ids(*chunk) for chunk in self._dirty}
        self._dirty.clear()
        return found

    def _ids(self, hour: int, index: int) -> bytes | None:
        chunks = self._chunks.get(hour, [])
        return bytes(chunks[index]) if index < len(chunks) else None

    def _expire(self, hour: int) -> None:
        self.newest_hour = hour
        for old in [h for h in self._chunks if hour - h > self.horizon_h]:
            for index, ids in enumerate(self._chunks.pop(old)):
                self._dirty.add((old, index))
                for i in range(0, len(ids), DIGEST_BYTES):
                    name = bytes(ids[i : i + DIGEST_BYTES])
                    if self._hour_of.get(name) == old:
                        del self._hour_of[name]
