"""What waits to be sent, in order and bounded; three ways to meet a full one: let the sender wait, drop the oldest, use the disk.

Lines are events as JSON. `take` hands out the oldest ones; they stay until `done`, so whatever ends the sending loses none of them.
"""

import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SEGMENT_LINES: Final = 1000


class BufferFull(Exception):
    """Nothing was sent for so long that the sender should hear of it."""


class Buffer:
    """Holds `most` lines. When they are there, `put` waits, and raises BufferFull after `patience_s` seconds."""

    def __init__(self, most: int = 50_000, patience_s: float = 60.0) -> None:
        self._most = most
        self._patience_s = patience_s
        self._lines: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._taken = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._lines)

    def put(self, line: bytes) -> None:
        """Keep a line to be sent. Raises BufferFull."""
        with self._changed:
            if len(self._lines) >= self._most:
                self._make_room()
            self._lines.append(line)
            self._changed.notify_all()

    def take(self, most: int, wait_s: float) -> Sequence[bytes]:
        """The oldest lines, `most` at the most; none when there are none after `wait_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines, wait_s)
            self._taken = min(most, len(self._lines))
            return [self._lines[n] for n in range(self._taken)]

    def done(self, lines: int) -> None:
        """So many of the oldest have been answered."""
        with self._changed:
            for _ in range(lines):
                self._lines.popleft()
            self._taken = 0
            self._changed.notify_all()

    def empty(self, wait_s: float) -> bool:
        """Whether everything is answered, at the latest after `wait_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not len(self), wait_s)

    def close(self) -> None:
        """Nothing more is put or taken."""

    def _make_room(self) -> None:
        if not self._changed.wait_for(lambda: len(self._lines) < self._most, self._patience_s):
            raise BufferFull(f"{self._most} events wait, and none was taken for {self._patience_s:g} s")


class Dropping(Buffer):
    """Holds `most` lines. When they are there, the oldest that is not on its way is dropped and counted."""

    def _make_room(self) -> None:
        if self._taken >= len(self._lines):
            super()._make_room()
            return
        del self._lines[self._taken]
        self.dropped += 1


class Spilling(Buffer):
    """Holds `most` lines in memory and the rest in a folder, also from one run to the next.

    Once a line has gone to the disk, all that come after it go there too, until the disk is empty, so that the order holds.
    """

    def __init__(self, folder: Path, most: int = 50_000) -> None:
        super().__init__(most)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        found = sorted(folder.glob("*.ndjson"))
        self._segments: deque[Path] = deque(found)
        self._on_disk = sum(path.read_bytes().count(b"\n") for path in found)
        self._number = int(found[-1].stem) if found else 0
        self._writing: list[bytes] = []
        self._read: Path | None = None

    def __len__(self) -> int:
        return len(self._lines) + self._on_disk + len(self._writing)

    def put(self, line: bytes) -> None:
        """See Buffer; raises OSError when the disk does not take it."""
        with self._changed:
            if len(self._lines) < self._most and self._disk_is_empty:
                self._lines.append(line)
            else:
                self._writing.append(line)
                if len(self._writing) >= SEGMENT_LINES:
                    self._write()
            self._changed.notify_all()

    def take(self, most: int, wait_s: float) -> Sequence[bytes]:
        """See Buffer."""
        with self._changed:
            self._changed.wait_for(lambda: len(self), wait_s)
            if not self._lines:
                self._fetch()
            self._taken = min(most, len(self._lines))
            return [self._lines[n] for n in range(self._taken)]

    def done(self, lines: int) -> None:
        """See Buffer."""
        with self._changed:
            super().done(lines)
            if not self._lines and self._read is not None:
                self._read.unlink()
                self._read = None

    def close(self) -> None:
        """What is not answered is kept in the folder for the next run."""
        with self._changed:
            if self._read is not None:  # what was fetched is in its file still
                self._lines.clear()
            kept = [*self._lines]
            if kept:
                self._segment(0, kept)
            if self._writing:
                self._write()

    @property
    def _disk_is_empty(self) -> bool:
        return not self._segments and not self._writing and self._read is None

    def _fetch(self) -> None:
        if not self._segments and self._writing:
            self._write()
        if self._segments:
            self._read = self._segments.popleft()
            found = self._read.read_bytes().split(b"\n")[:-1]
            self._on_disk -= len(found)
            self._lines.extend(found)

    def _write(self) -> None:
        self._number += 1
        self._segments.append(self._segment(self._number, self._writing))
        self._on_disk += len(self._writing)
        self._writing = []

    def _segment(self, number: int, lines: list[bytes]) -> Path:
        path = self._folder / f"{number:012}.ndjson"
        fresh = path.with_suffix(".part")
        fresh.write_bytes(b"".join(line + b"\n" for line in lines))
        fresh.replace(path)
        return path
