"""What the sink decides: the table in the module's docstring, row by row, and when it stops for too many refused rows."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.decisions import (
    Breaker,
    Commit,
    Done,
    Due,
    Event,
    Insert,
    Progress,
    Refused,
    Reject,
    Tolerance,
    Unknown,
    begun,
    decide,
)
from sinks.ranges import Plan, Range


def plan(*ranges: tuple[int, int, int]) -> Plan:
    return Plan(tuple(Range(*one) for one in ranges), 1)


WHOLE = plan((0, 5, 9))
HALF = plan((0, 5, 7))
BOTH = plan((0, 5, 9), (3, 1, 2))
AT_BOTH = ((0, 5), (3, 1))
REFUSED_BOTH = (((0, 9), (3, 2)),)


@pytest.mark.parametrize(
    ("progress", "event", "after"),
    [
        (Progress(), Due(WHOLE), Progress(Commit(((0, 5),), WHOLE))),
        (Progress(Commit(((0, 4),))), Due(WHOLE), Progress(Commit(((0, 5),), WHOLE))),
        (Progress(Commit(((0, 4), (1, 8)))), Due(BOTH), Progress(Commit(((0, 5), (1, 8), (3, 1)), BOTH))),
        (Progress(Commit(((0, 5),), WHOLE)), Done(), Progress(Insert(WHOLE))),
        (Progress(Insert(BOTH)), Done(), Progress(Commit(((0, 10), (3, 3))))),
        (Progress(Commit(((0, 10),))), Done(), Progress()),
        (
            Progress(Insert(WHOLE)),
            Refused([(0, o) for o in range(5, 10)], "why"),
            Progress(Commit(((0, 5),), HALF), (((0, 9),),)),
        ),
        (
            Progress(Insert(WHOLE)),
            Refused([(0, 5), (0, 9)], "why"),
            Progress(Commit(((0, 5),), plan((0, 5, 5))), (((0, 9),),)),
        ),
        (
            Progress(Insert(BOTH)),
            Refused([(0, 5), (0, 9), (3, 1), (3, 2)], "why"),
            Progress(Commit(AT_BOTH, plan((0, 5, 9))), REFUSED_BOTH),
        ),
        (
            Progress(Insert(BOTH)),
            Refused([(0, 5), (3, 1), (3, 2)], "why"),
            Progress(Commit(AT_BOTH, plan((0, 5, 5), (3, 1, 1))), REFUSED_BOTH),
        ),
        (
            Progress(Insert(BOTH)),
            Refused([(3, 1), (3, 2)], "why"),
            Progress(Commit(AT_BOTH, plan((3, 1, 1))), REFUSED_BOTH),
        ),
        (Progress(Insert(WHOLE)), Refused([(0, 6)], "why"), Progress(Reject(WHOLE, "why"))),
        (Progress(Insert(HALF), REFUSED_BOTH), Done(), Progress(Commit(((0, 8),)), REFUSED_BOTH)),
        (Progress(Insert(WHOLE), REFUSED_BOTH), Done(), Progress(Commit(((0, 10),)), (((3, 2),),))),
        (
            Progress(Reject(plan((0, 9, 9)), "why"), (((0, 20),), ((0, 9),))),
            Done(),
            Progress(Commit(((0, 10),)), (((0, 20),),)),
        ),
    ],
)
def test_decide(progress: Progress, event: Event, after: Progress) -> None:
    """One row of the table each."""
    assert decide(progress, event) == after


@pytest.mark.parametrize("action", [None, Commit(AT_BOTH), Commit(AT_BOTH, BOTH), Insert(BOTH), Reject(WHOLE, "why")])
def test_an_unknown_outcome_changes_nothing(action: Commit | Insert | Reject | None) -> None:
    """The same is done again."""
    progress = Progress(action, REFUSED_BOTH)
    assert decide(progress, Unknown()) is progress


@pytest.mark.parametrize(
    ("progress", "event"),
    [
        (Progress(), Done()),
        (Progress(Insert(WHOLE)), Due(HALF)),
        (Progress(Commit(((0, 5),), WHOLE)), Due(HALF)),
        (Progress(Commit(((0, 5),))), Refused([(0, 5)], "why")),
        (Progress(Insert(WHOLE)), Refused([], "why")),
    ],
)
def test_what_cannot_follow_is_a_fault(progress: Progress, event: Event) -> None:
    """Of the shell around it, and it must not be passed over."""
    with pytest.raises(ValueError, match="cannot follow"):
        decide(progress, event)


def test_a_new_owner_begins_with_the_plan() -> None:
    """And with nothing where there is none."""
    assert begun(WHOLE) == Progress(Insert(WHOLE))
    assert begun(None) == Progress()


def test_the_breaker_opens_when_half_of_the_last_rows_are_refused() -> None:
    """Not before so many were tried, and not for single ones among many."""
    breaker = Breaker(Tolerance(0.5, 100))
    for _ in range(99):
        breaker.note(1, refused=True)
        assert not breaker.open
    breaker.note(1, refused=True)
    assert breaker.open
    breaker.note(101, refused=False)
    assert not breaker.open


def test_the_breaker_looks_at_the_last_rows_alone() -> None:
    """Millions of good ones before do not hide that the table has changed."""
    breaker = Breaker(Tolerance(0.5, 100))
    breaker.note(5_000_000, refused=False)
    for _ in range(999):
        breaker.note(1, refused=True)
    assert not breaker.open
    breaker.note(1, refused=True)
    assert breaker.open


@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans())))
def test_the_breaker_keeps_little(runs: list[tuple[int, bool]]) -> None:
    """A window of rows, however many were seen."""
    breaker = Breaker(Tolerance(0.5, 10))
    for records, refused in runs:
        breaker.note(records, refused=refused)
    assert len(breaker._runs) <= 101
