"""Keys of sources: known by their hash, ended, rotated, and read again when their file changes."""

import os
import stat
from pathlib import Path

import pytest

from pipeline.intake import keyfile
from pipeline.intake.keyfile import Keys, KeysUnreadable
from pipeline.intake.keys import Key, find, hashed, rotated, text_of, without
from pipeline.intake.rate import Bucket
from pipeline.intake.recent import Recent
from tests.harness.touchpoints import HOUR, NOW

SECRET = "5e" * 32


def key(name: str = "0123456789ab", **changes: object) -> Key:
    """A key of the web shop."""
    whole = {"name": name, "source": "web-shop", "sha256": hashed(SECRET), "created_at": NOW, **changes}
    return Key(**whole)  # type: ignore[arg-type]


def test_a_key_is_known_by_name_and_secret() -> None:
    """And by nothing else; what is kept does not hold the secret."""
    known = key()
    keys = {known.name: known}
    assert find(keys, text_of(known.name, SECRET), NOW) == known
    wrong = ["", "ts_", SECRET, known.name, text_of(known.name, SECRET[:-1] + "f"), text_of("ba9876543210", SECRET)]
    for presented in [
        *wrong,
        text_of(known.name, ""),
        text_of(known.name, SECRET).removeprefix("ts_"),
        "ts_\udcff_\udcff",
    ]:
        assert find(keys, presented, NOW) is None
    assert SECRET not in str(known)


def test_a_key_ends_at_its_time() -> None:
    """To the millisecond."""
    known = key(expires_at=NOW + HOUR)
    presented = text_of(known.name, SECRET)
    assert find({known.name: known}, presented, NOW + HOUR - 1) == known
    assert find({known.name: known}, presented, NOW + HOUR) is None


def test_after_a_rotation_both_hold_for_a_while() -> None:
    """Only the source's own keys end, and none of them later than it would have."""
    old, early, other, fresh = key("a"), key("b", expires_at=NOW + 1), key("c", source="pbx"), key("d")
    found = {one.name: one.expires_at for one in rotated([old, early, other], "web-shop", fresh, NOW + HOUR)}
    assert found == {"a": NOW + HOUR, "b": NOW + 1, "c": None, "d": None}
    assert [one.name for one in without([old, early, other], ["b", "c"])] == ["a"]


def test_the_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """Without a restart; it is for its owner alone."""
    file, now = tmp_path / "deep" / "keys.json", [0.0]
    keys = Keys(file, lambda: now[0])
    assert keys.now() == {}
    with keyfile.changing(file) as changed:
        changed.append(key("a"))
    assert keys.now() == {}
    now[0] += keyfile.LOOK_S
    assert set(keys.now()) == {"a"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("[{]")
    os.utime(file, ns=(1, 1))
    now[0] += keyfile.LOOK_S
    for _ in range(2):
        with pytest.raises(KeysUnreadable, match=r"keys\.json"):
            keys.now()
    with pytest.raises(KeysUnreadable), keyfile.changing(file):
        pass
    assert file.read_text() == "[{]"


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The file stays as it was."""
    file = tmp_path / "keys.json"
    with keyfile.changing(file) as keys:
        keys.append(key("a"))

    def fail() -> None:
        with keyfile.changing(file) as keys:
            keys.clear()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [one.name for one in keyfile.read(file)] == ["a"]


def test_a_bucket_lets_in_what_its_rate_allows() -> None:
    """A burst at first, then as fast as it fills; what was too much is waited for."""
    bucket = Bucket(rate=10.0, burst_s=2.0)
    assert bucket.wait_s(100.0) == 0
    bucket.take(20, 100.0)
    assert bucket.wait_s(100.0) == pytest.approx(0.1)
    assert bucket.wait_s(100.2) == 0
    bucket.take(102, 100.2)
    assert bucket.wait_s(100.2) == pytest.approx(10.1)
    assert bucket.wait_s(110.5) == 0
    bucket.take(0, 1000.0)
    assert bucket.filled == pytest.approx(20)


def test_the_first_to_come_is_the_one_that_counts() -> None:
    """Until it fails, or so many others have come that it is forgotten."""
    recent: Recent[object] = Recent(most=2)
    first, second = object(), object()
    assert recent.claim(("web", b"1"), first) is None
    assert recent.claim(("web", b"1"), second) is first
    assert recent.claim(("app", b"1"), second) is None
    recent.forget(("web", b"1"), second)
    assert recent.claim(("web", b"1"), second) is first
    recent.forget(("web", b"1"), first)
    assert recent.claim(("web", b"1"), second) is None
    assert recent.claim(("web", b"2"), second) is None
    assert recent.claim(("web", b"3"), second) is None
    assert len(recent) == 2
    assert recent.claim(("web", b"1"), first) is None
