"""The real data sets, downloaded once for all tests of a run."""

import fcntl
import shutil
from pathlib import Path

import pytest

from pipeline.replay import datasets

# What pip says of a package of which it has found no version at all: it has reached no index.
NO_INDEX = ("from versions: none", "pip gave no answer")


def file_of(name: str, folders: pytest.TempPathFactory) -> Path:
    """The data set's file; skips the test when there is no network to get it from."""
    folder = folders.getbasetemp().parent / "touchstream-datasets"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return datasets.fetched(datasets.listed()[name], folder)
        except datasets.DatasetError as error:
            if any(words in str(error) for words in NO_INDEX):
                pytest.skip(str(error))
            raise


def provide(names: tuple[str, ...], home: Path, folders: pytest.TempPathFactory) -> None:
    """Lay the data sets where a home expects what it has downloaded before."""
    target = home / "datasets"
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(file_of(name, folders), target)
