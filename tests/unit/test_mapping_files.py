"""Mappings of keys, as their files are now."""

import os
from pathlib import Path

import pytest

from pipeline.intake.mapping_files import MappingFiles
from pipeline.replay import ready
from pipeline.replay.fields import MappingFault

MINE = """
name = "mine"
event_id = {{ from = "{ids}", columns = ["id"] }}
[[touchpoint]]
event_type = "{kind}"
channel = "call"
source = "exchange"
occurred_at = {{ column = "at" }}
identifiers = [{{ namespace = "phone", column = "caller" }}]
"""


def write(file: Path, kind: str, ids: str = "columns") -> None:
    """The mapping as it is now; as an editor saves it, in a new file under the old name."""
    text = MINE.format(kind=kind, ids=ids)
    if ids != "columns":
        text = text.replace(', columns = ["id"]', "")
    beside = file.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, file)


def test_a_mended_file_holds_at_once_and_the_same_one_is_read_once(tmp_path: Path) -> None:
    file, files = tmp_path / "mine.toml", MappingFiles()
    write(file, "call.ended")
    first = files.of(str(file))
    assert files.of(str(file)) is first
    write(file, "call.queued")
    second = files.of(str(file))
    assert second is not first
    assert second is files.of(str(file))


def test_a_file_that_is_no_mapping_is_none_until_it_is_mended(tmp_path: Path) -> None:
    file, files = tmp_path / "mine.toml", MappingFiles()
    write(file, "call.ended")
    files.of(str(file))
    file.write_text("name = ")
    with pytest.raises(MappingFault, match="is wrong"):
        files.of(str(file))
    file.unlink()
    with pytest.raises(MappingFault, match="cannot read the mapping"):
        files.of(str(file))
    write(file, "call.ended", ids="row")
    with pytest.raises(MappingFault, match="event ids of row numbers"):
        files.of(str(file))
    write(file, "call.ended")
    assert files.of(str(file)).name == "mine"


def test_a_ready_mapping_is_found_by_its_name() -> None:
    files = MappingFiles()
    assert files.of("segment") is files.of("segment") is ready.ready("segment")
    with pytest.raises(MappingFault, match="no-such"):
        files.of("no-such")
