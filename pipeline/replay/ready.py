"""The mappings that come with touchstream, by name: for bodies and files that other systems send. See docs/mappings.md."""

from functools import cache
from pathlib import Path
from typing import Final

from pipeline.replay import mapping
from pipeline.replay.fields import MappingFault
from pipeline.replay.plan import Mapping

FOLDER: Final = Path(__file__).parents[1] / "mappings"


@cache
def names() -> tuple[str, ...]:
    """The names of the ready mappings, in the order of the alphabet."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def ready(name: str) -> Mapping:
    """The ready mapping of this name. Raises MappingFault when there is none."""
    return mapping.read(_file(name))


def text(name: str) -> str:
    """The ready mapping as it is written, to be changed by whoever needs another. Raises MappingFault."""
    return _file(name).read_text(encoding="utf-8")


def find(name_or_path: str) -> Mapping:
    """The ready mapping of this name, or the one in the file at this path. Raises MappingFault.

    A file that is called like a ready mapping is meant where its folder is named: ./asterisk.
    """
    if name_or_path in names():
        return ready(name_or_path)
    if not name_or_path or (name_or_path == Path(name_or_path).stem and not _is_file(name_or_path)):
        raise MappingFault(f"there is neither a file nor a ready mapping {name_or_path!r}; ready: {', '.join(names())}")
    return mapping.read(Path(name_or_path))


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False


def _file(name: str) -> Path:
    if name not in names():
        raise MappingFault(f"there is no ready mapping {name!r}; ready: {', '.join(names())}")
    return FOLDER / f"{name}.toml"
