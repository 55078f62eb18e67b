"""Packed state: small, the same again after unpacking, and out of reach for a version that is too old."""

import pytest

from processors.state import LAYOUT, UPGRADES, Person, StateTooNew, StateUnreadable, check, pack, unpack
from tests.harness.touchpoints import journey_fold, resolved, touchpoint

# One touchpoint's person as each layout wrote it. Never to be changed: changelogs in the world hold such bytes.
LAYOUT_1 = bytes.fromhex(
    "01920581aa637573746f6d65723a3197cf0000018bcfe56800cf0000018bcfe5680081a37765629401cf0000018bcfe56800"
    "9081aa7765622d73686f7000739194cf0000018bcfe56800cf0000018bcfe5680001809194cf0000018bcfe56800cf000001"
    "8bcfe568000181a37765629201cf0000018bcfe56800808080"
)


LAYOUT_2 = bytes.fromhex(
    "027c000000f509920581aa637573746f6d65723a3197cf0000018bcfe5680009007581a377656294011000f5009081aa7765"
    "622d73686f700073919418000509002f018016000201480014924800506800808080"
)


def test_nothing_packs_to_a_few_bytes() -> None:
    """The layout first."""
    assert pack(Person())[0] == LAYOUT
    assert len(pack(Person())) < 12
    assert unpack(pack(Person())) == Person()


@pytest.mark.parametrize("golden", [LAYOUT_1, LAYOUT_2], ids=["layout 1", "layout 2"])
def test_what_was_ever_written_is_read(golden: bytes) -> None:
    """Upgraded step by step, to what this version makes of the same touchpoint."""
    fold = journey_fold()
    fold.fold([resolved(touchpoint(source_session="s"), 5)])
    ((_, packed),) = fold.changes()
    assert packed is not None
    assert unpack(golden) == unpack(packed)
    assert packed[0] == LAYOUT == 2, "whoever raises it adds what the new layout writes to the ones above"


def test_there_is_a_way_from_every_layout() -> None:
    """Step by step."""
    assert sorted(UPGRADES) == list(range(1, LAYOUT))


def test_a_person_of_an_old_layout_is_written_in_the_new_one() -> None:
    """When the next touchpoint comes; until then it stays as it is."""
    fold = journey_fold()
    fold.restore(b"p_1", LAYOUT_1)
    fold.restored()
    fold.fold([resolved(touchpoint(event_id="e-2"), 6)])
    ((key, packed),) = fold.changes()
    assert key == b"p_1"
    assert packed is not None
    assert packed[0] == LAYOUT
    assert unpack(packed).cells["customer:1"].channels["web"].touchpoints == 2


@pytest.mark.parametrize("packed", [b"", b"\0abc", bytes((LAYOUT,)), bytes((LAYOUT,)) + b"\xff" * 20, LAYOUT_1[:-1]])
def test_what_is_no_state_is_named(packed: bytes) -> None:
    """And not taken for a person who has nothing."""
    with pytest.raises(StateUnreadable):
        unpack(packed)


@pytest.mark.parametrize("layout", [LAYOUT + 1, 255])
def test_a_newer_layout_is_refused(layout: int) -> None:
    """By everyone who could write over it, and with what to do."""
    packed = bytes((layout,)) + pack(Person())[1:]
    with pytest.raises(StateTooNew, match=f"layout {layout}, .* run the version that wrote it"):
        unpack(packed)
    with pytest.raises(StateTooNew):
        check(packed)


def test_one_newer_record_in_the_changelog_is_enough() -> None:
    """A newer version that ran for a moment wrote only some persons."""
    fold = journey_fold()
    fold.fold([resolved(touchpoint(), 0)])
    changes = fold.changes()
    again = journey_fold()
    for key, value in changes:
        again.restore(key, value)
    with pytest.raises(StateTooNew):
        again.restore(b"p_2", bytes((LAYOUT + 1,)) + pack(Person())[1:])
