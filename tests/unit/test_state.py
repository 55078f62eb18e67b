"""Packed state: small, the same again after unpacking, and out of reach for a version that is too old."""

import pytest

from processors.state import LAYOUT, Person, StateTooNew, check, pack, unpack
from tests.harness.touchpoints import journey_fold, resolved, touchpoint

PINNED = (
    "01920581aa637573746f6d65723a3197cf0000018bcfe56800cf0000018bcfe5680081a37765629401cf0000018bcfe56800"
    "9081aa7765622d73686f7000739194cf0000018bcfe56800cf0000018bcfe5680001809194cf0000018bcfe56800cf000001"
    "8bcfe568000181a37765629201cf0000018bcfe56800808080"
)


def test_nothing_packs_to_a_few_bytes() -> None:
    """The layout first."""
    assert pack(Person()) == bytes((LAYOUT, 0x92, 0xFF, 0x80))
    assert unpack(pack(Person())) == Person()


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


def test_the_layout_is_pinned() -> None:
    """Whoever changes what is packed must raise LAYOUT, or old changelogs are read as something else."""
    fold = journey_fold()
    fold.fold([resolved(touchpoint(source_session="s"), 5)])
    ((_, packed),) = fold.changes()
    assert LAYOUT == 1
    assert packed is not None
    assert packed.hex() == PINNED
