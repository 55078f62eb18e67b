"""Which event ids have been seen within the horizon. Exact; counted in arrival time, whatever the events' own times are.

The ids of one source topic's partition are kept in chunks by hour of arrival, so that the changelog holds few records and an
expired hour is a handful of tombstones. Beside them lies an index, from an id to the hour of its chunk. It follows from the chunks,
so the changelog does not hear of it. Both are kept in the stage's store: in memory until they are saved, then on disk.

No id is ever in two chunks: it is admitted again only when the chunk that had it is gone.
"""

import hashlib
from typing import Final

import msgspec

from processors.store import Store

HOUR_MS: Final = 3_600_000
DIGEST_BYTES: Final = 16
CHUNK_IDS: Final = 256
CHUNK_BYTES: Final = CHUNK_IDS * DIGEST_BYTES
HOUR_BYTES: Final = 6
# Expired ids are taken away a few at a time as new ones come: 1,024 for every 64.
EXPIRE_EVERY_BYTES: Final = 64 * DIGEST_BYTES
EXPIRE_CHUNKS: Final = 4
_counts = msgspec.msgpack.Decoder(dict[int, int])


def digest(event_id: str) -> bytes:
    """128 bits of an event id. Among n ids the chance of any collision is below n squared / 2**129: for a billion 2e-21."""
    return hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


class Seen:
    """The ids of one source topic's partition. `horizon_h` is in hours of arrival; `topic` tells several in one store apart.

    A clock that goes back counts in the hour that it says, or where that is forgotten already, in the oldest that is not.
    """

    def __init__(self, horizon_h: int, topic: str = "", store: Store | None = None) -> None:
        self.horizon_h = horizon_h
        self._store = Store() if store is None else store
        name = topic.encode()
        self._chunk_prefix = name + b"\0"
        self._index_prefix = b"\0i" + name + b"\0"
        self._counts_key = b"\0c" + name
        self._open: dict[int, bytearray] = {}
        self._dirty: set[int] = set()
        packed = self._store.get(self._counts_key)
        self._count_of: dict[int, int] = _counts.decode(packed) if packed else {}
        self._newest = -1
        self._expired: list[int] = []
        self._packed_hour = (-1, b"")
        self._turn()

    def __len__(self) -> int:
        return sum(count for hour, count in self._count_of.items() if hour >= self._newest - self.horizon_h)

    def admit(self, event_id: str, arrived_at: int) -> bool:
        """Remember the id; False when it arrived before, within the horizon. `arrived_at` in milliseconds since epoch, UTC."""
        name, hour = digest(event_id), arrived_at // HOUR_MS
        edge = (hour if hour > self._newest else self._newest) - self.horizon_h
        key = self._index_prefix + name
        before = self._store.get(key)
        if before is not None:
            if int.from_bytes(before, "big") >= edge:
                return False
            self._turn(hour)
            while self._store.get(key) is not None:
                self._forget_chunk(int.from_bytes(before, "big"))
        self._store.put_local(key, self._append(max(hour, edge, 0), name))
        return True

    def flush(self) -> None:
        """Put what has changed into the store; to be called before the store tells its changes."""
        if self._dirty:
            for hour in self._dirty:
                self._put_open(hour)
            self._dirty.clear()
            self._put_counts()

    def restore(self, hour: int, index: int, ids: bytes | None) -> None:
        """Take back one chunk from the changelog, None for an expired one; a later one of the same place replaces it.

        An index entry is only moved to a later hour, and only taken away by the chunk that it names. So it does no harm to take
        back what the store has already, or something older first.
        """
        key = self._chunk_key(hour, index)
        before, now = self._store.get(key) or b"", ids or b""
        self._store.restore(key, ids)
        packed = hour.to_bytes(HOUR_BYTES, "big")
        for entry in self._entries(now[len(before) :] if now.startswith(before) else now):
            held = self._store.get(entry)
            if held is None or held < packed:
                self._store.restore_local(entry, packed)
        for entry in self._entries(before) if ids is None else ():
            if self._store.get(entry) == packed:
                self._store.restore_local(entry, None)
        self._count(hour, (len(now) - len(before)) // DIGEST_BYTES)
        self._store.restore_local(self._counts_key, msgspec.msgpack.encode(self._count_of))
        self._open.pop(hour, None)

    def restored(self) -> None:
        """Every chunk is back."""
        self._turn()

    def _append(self, hour: int, name: bytes) -> bytes:
        """Put an id into the hour's open chunk. Returns what the index is to say of it."""
        if hour > self._newest:
            self._turn(hour)
        chunk = self._open.get(hour)
        if chunk is None:
            chunk = self._open[hour] = self._reopened(hour)
        if len(chunk) >= CHUNK_BYTES:
            if hour in self._dirty:
                self._put_open(hour)
            chunk.clear()
        if self._expired and len(chunk) % EXPIRE_EVERY_BYTES == 0:
            for _ in range(EXPIRE_CHUNKS):
                if self._expired:
                    self._forget_chunk(self._expired[0])
        chunk += name
        self._count(hour, 1)
        self._dirty.add(hour)
        if self._packed_hour[0] != hour:
            self._packed_hour = hour, hour.to_bytes(HOUR_BYTES, "big")
        return self._packed_hour[1]

    def _turn(self, hour: int = -1) -> None:
        """It is a new hour: some may have expired by that."""
        self._newest = max(hour, self._newest, *self._count_of)
        self._expired = sorted(h for h in self._count_of if h < self._newest - self.horizon_h)

    def _forget_chunk(self, hour: int) -> None:
        """Take away the last chunk of an expired hour. A few at a time: a whole hour at once could take a second."""
        if hour in self._dirty:
            self._put_open(hour)
            self._dirty.discard(hour)
        self._open.pop(hour, None)
        index = (self._count_of[hour] - 1) // CHUNK_IDS
        key = self._chunk_key(hour, index)
        ids = self._store.get(key) or b""
        for entry in self._entries(ids):
            self._store.put_local(entry, None)
        self._store.delete(key)
        self._count(hour, index * CHUNK_IDS - self._count_of[hour])
        if hour not in self._count_of:
            self._expired.remove(hour)
        self._put_counts()

    def _reopened(self, hour: int) -> bytearray:
        """The chunk of an hour that has room, or an empty one."""
        count = self._count_of.get(hour, 0)
        return bytearray(self._store.get(self._chunk_key(hour, count // CHUNK_IDS)) or b"")

    def _put_open(self, hour: int) -> None:
        self._store.put(self._chunk_key(hour, (self._count_of[hour] - 1) // CHUNK_IDS), bytes(self._open[hour]))

    def _put_counts(self) -> None:
        self._store.put_local(self._counts_key, msgspec.msgpack.encode(self._count_of))

    def _count(self, hour: int, more: int) -> None:
        count = self._count_of.get(hour, 0) + more
        if count:
            self._count_of[hour] = count
        else:
            self._count_of.pop(hour, None)

    def _chunk_key(self, hour: int, index: int) -> bytes:
        return self._chunk_prefix + f"{hour}\0{index}".encode()

    def _entries(self, ids: bytes) -> list[bytes]:
        return [self._index_prefix + ids[i : i + DIGEST_BYTES] for i in range(0, len(ids), DIGEST_BYTES)]
