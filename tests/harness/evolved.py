"""The schemas as a later release might have them: our folder and what tests/contracts/evolved adds, as one folder."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas import registry

ADDED = Path(__file__).parents[1] / "contracts" / "evolved"


def evolved_folder(to: Path) -> Path:
    """Make the folder."""
    shutil.copytree(registry.HERE, to, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copytree(ADDED, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("registry.toml"))
    listed = [(folder / "registry.toml").read_text(encoding="utf-8") for folder in (registry.HERE, ADDED)]
    (to / "registry.toml").write_text("\n".join(listed), encoding="utf-8")
    return to


@contextmanager
def released_with(folder: Path) -> Iterator[None]:
    """Everything in this process takes the newest schemas of this folder for its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "HERE", folder)
        yield
