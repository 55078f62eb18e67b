"""What a process can do without."""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Without(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
        return None


def without_pandas() -> None:
    """From now on this process has no pandas. pyarrow would load it, where it finds it, with the first list that it is given to
    see whether that is a column of pandas: a second of work and 60 MB for a stage that never has one."""
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _Without("pandas"))


def collect_garbage_rarely() -> None:
    """For a process whose batches make a hundred thousand short-lived objects without cycles, and nothing that lasts: looking
    through them all the time would cost a seventh of its work. What exists by now is never looked at again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
