"""The mappings that keys name, as their files are now: a mended one holds from the next request on."""

from pathlib import Path
from typing import Final

from pipeline.replay import ready
from pipeline.replay.fields import MappingFault
from pipeline.replay.plan import Mapping

IDS_OF_BODIES: Final = ("columns", "content")
"""Where event ids may come from: the number of a row says nothing in a body."""
Seen = tuple[int, int, int]


def find(name_or_path: str) -> Mapping:
    """The mapping for bodies of this name, or in the file at this path. Raises MappingFault."""
    found = ready.find(name_or_path)
    if found.id_from not in IDS_OF_BODIES:
        raise MappingFault(
            f"the mapping {name_or_path} makes event ids of row numbers; a body's rows need columns or content"
        )
    return found


class MappingFiles:
    """Remembers what it has read as long as the file is the same."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Seen | None, Mapping]] = {}

    def of(self, name_or_path: str) -> Mapping:
        """See `find`. Raises MappingFault also while a file is being mended and is none."""
        seen = None if name_or_path in ready.names() else _seen(Path(name_or_path))
        known = self._read.get(name_or_path)
        if known is not None and known[0] == seen:
            return known[1]
        found = find(name_or_path)
        self._read[name_or_path] = seen, found
        return found


def _seen(path: Path) -> Seen:
    try:
        stat = path.stat()
    except OSError as error:
        raise MappingFault(f"cannot read the mapping {path}: {error.strerror}") from None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
