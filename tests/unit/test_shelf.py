"""The shelf on disk: it outlives killed processes, is held by one process alone, and damage is noticed and thrown away."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.shelf import DIRECTORIES, RocksShelf, ShelfBusy, open_shelf
from processors.shelf_manifest import ends_well
from processors.store import Limits, Position, ShelfDamaged, Store

WRITER = """
import sys
from pathlib import Path
from processors.shelf import open_shelf
from processors.store import Limits, Position, Store

store = Store(open_shelf(Path(sys.argv[1])), Limits(unsaved=0, held=0))
store.begin("log")
store.restored(Position(0, {}, 0))
print("open", flush=True)
sys.stdin.readline()
for number in range(1, 1_000_000):
    for key in range(500):
        store.put(b"p%d" % key, b"%d" % number * 20)
    store.changes()
    store.committed(Position(number, {"t": number}, number))
    if number == 30:
        print("busy", flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the partition's first directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def kept(path: Path) -> list[Path]:
    """The files with values."""
    return [*path.rglob("*.sst"), *path.rglob("*.log")]


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    shelf = open_shelf(tmp_path)
    shelf.write({b"a": b"1", b"b": b"2"})
    shelf.write({b"a": None, b"c": b""})
    shelf.close()
    again = open_shelf(tmp_path)
    assert (again.get(b"a"), again.get(b"b"), again.get(b"c")) == (None, b"2", b"")
    again.clear()
    assert again.get(b"b") is None
    again.close()


def test_a_kill_in_the_midst_of_saving_leaves_a_committed_state(
    tmp_path: Path, writer: "subprocess.Popen[str]"
) -> None:
    """Every value is of the transaction that the header names."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "busy\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    store = Store(open_shelf(tmp_path))
    position = store.begin("log")
    assert position is not None
    assert position.applied == {"t": position.changelog}
    assert position.changelog >= 30
    assert len(store) == 500
    assert {store.get(b"p%d" % key) for key in range(500)} == {b"%d" % position.changelog * 20}
    store.abandon()


def test_two_processes_never_share_a_directory(tmp_path: Path, writer: "subprocess.Popen[str]") -> None:
    """Nor two owners in one process."""
    one = open_shelf(tmp_path)
    other = open_shelf(tmp_path)
    assert (one.path.name, other.path.name) == ("1", "2")
    one.close()
    again = open_shelf(tmp_path)
    assert again.path.name == "1"
    other.close()
    again.close()


def test_when_all_are_held(tmp_path: Path) -> None:
    shelves = [open_shelf(tmp_path) for _ in range(DIRECTORIES)]
    with pytest.raises(ShelfBusy, match="stop those"):
        open_shelf(tmp_path)
    for shelf in shelves:
        shelf.close()


def test_a_manifest_whose_record_is_longer_than_what_is_left_is_not_read(tmp_path: Path) -> None:
    """RocksDB would read it for ever."""
    _filled(tmp_path)
    (path,) = tmp_path.rglob("MANIFEST-*")
    whole = path.read_bytes()
    assert ends_well(whole)
    second = 7 + int.from_bytes(whole[4:6], "little")
    for length in (len(whole) - second - 6, 0xFFFF):
        damaged = whole[: second + 4] + length.to_bytes(2, "little") + whole[second + 6 :]
        assert not ends_well(damaged)
    path.write_bytes(damaged)
    store = Store(open_shelf(tmp_path))
    assert store.begin("log") is None
    store.abandon()


@pytest.mark.parametrize("how", ["flipped", "cut", "manifest"])
def test_damage_is_noticed(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """While it opens or while it reads. It is never taken for a value, and thrown away at the latest at the next opening."""
    before = _filled(tmp_path)
    for path in kept(tmp_path) if how != "manifest" else list(tmp_path.rglob("MANIFEST-*")):
        data = bytearray(path.read_bytes())
        if how == "cut":
            data = data[: len(data) // 2]
        else:
            data[len(data) // 3 : len(data) // 3 + 200] = os.urandom(min(200, len(data) - len(data) // 3))
        path.write_bytes(data)
    store, position = None, None
    try:
        store = Store(open_shelf(tmp_path))
        position = store.begin("log")
        found = {key: store.get(key) for key in before}
    except ShelfDamaged:
        found = {}
    finally:
        if store is not None:
            store.abandon()
    if found and position is not None:
        assert all(value == b"%d" % position.changelog * 2000 for value in found.values()), "a state of long ago, whole"
    else:
        again = Store(open_shelf(tmp_path))
        assert again.begin("log") is None
        again.abandon()


def _filled(tmp_path: Path) -> list[bytes]:
    store = Store(open_shelf(tmp_path), Limits(0, 0, 0))
    store.begin("log")
    keys = [b"p%d" % key for key in range(300)]
    for number in range(1, 30):
        for key in keys:
            store.put(key, b"%d" % number * 2000)
        store.changes()
        store.committed(Position(number, {}, number))
    store.close(30)
    return keys


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        open_shelf(tmp_path / "file" / "0")


def test_a_damaged_one_is_thrown_away_at_the_next_opening(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = open_shelf(tmp_path)
    shelf.write({b"a": b"1"})
    shelf._db.close()  # what a disk that fails looks like from here
    with pytest.raises(ShelfDamaged):
        shelf.get(b"a")
    os.close(shelf._lock)
    again: RocksShelf = open_shelf(tmp_path)
    assert again.get(b"a") is None
    assert "thrown away" in caplog.text
    again.close()
