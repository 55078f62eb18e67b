"""The file in which keys are kept: written as a whole, read again whenever it has changed."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from deploy.embedded.files import write_atomically
from pipeline.config import Settings
from pipeline.intake.keys import Key

LOOK_S: Final = 0.5
_decoder: Final = msgspec.json.Decoder(list[Key])


class KeysUnreadable(Exception):
    """The file of keys is not one, or may not be read."""


def path(settings: Settings) -> Path:
    """Where this installation keeps its keys."""
    return settings.intake_keys or settings.home / "intake_keys.json"


def read(file: Path) -> list[Key]:
    """All keys; none where there is no file. Raises KeysUnreadable."""
    try:
        return _decoder.decode(file.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise KeysUnreadable(f"cannot read the keys in {file}: {error}") from None


@contextmanager
def changing(file: Path) -> Iterator[list[Key]]:
    """All keys, to be changed in place and kept when the context ends well; one at a time. Raises KeysUnreadable, OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = read(file)
        yield keys
        write_atomically(file, msgspec.json.format(msgspec.json.encode(keys), indent=1).decode() + "\n")


class Keys:
    """The keys by name, as the file had them within the last `LOOK_S` seconds of a steady `clock`."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._looked_at = -LOOK_S
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def now(self) -> dict[str, Key]:
        """Read again when the file has changed. Raises KeysUnreadable as long as it is none."""
        if self._clock() - self._looked_at < LOOK_S:
            return self._keys
        seen = self._look()
        if seen != self._seen:
            self._keys = {key.name: key for key in read(self._file)}
            self._seen = seen
        self._looked_at = self._clock()
        return self._keys

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino
