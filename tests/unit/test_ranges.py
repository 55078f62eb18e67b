"""What to insert next: the table in the module's docstring, row by row, and the plan's way through the offset's metadata."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.ranges import Buffered, Limits, PlanUnreadable, Range, next_range, planned

LIMITS = Limits(records=3, linger_ms=100)
RANGES = st.builds(
    lambda first, more, version: Range(first, first + more, version),
    st.integers(0, 1 << 62),
    st.integers(0, 10**6),
    st.integers(0, 99),
)


@pytest.mark.parametrize(
    ("offsets", "position", "waited_ms", "plan", "expected"),
    [
        ([5, 6, 7], 8, 0, None, Range(5, 7, 1)),
        ([5, 6], 7, 99, None, None),
        ([5, 6], 7, 100, None, Range(5, 6, 1)),
        ([5, 6, 7, 8, 9], 10, 0, None, Range(5, 7, 1)),
        ([], 9, 1000, None, None),
        ([5, 6], 7, 1000, Range(5, 7, 1), None),
        ([5, 6, 7, 8, 9], 10, 0, Range(5, 7, 1), Range(5, 7, 1)),
        ([5, 6, 9], 10, 0, Range(5, 7, 1), Range(5, 7, 1)),
        ([], 8, 0, Range(5, 7, 1), Range(5, 7, 1)),
        ([5, 6, 7], 8, 0, Range(5, 7, 9), Range(5, 7, 9)),
    ],
)
def test_next_range(
    offsets: list[int], position: int, waited_ms: int, plan: Range | None, expected: Range | None
) -> None:
    """A plan comes before everything, and waits for its last offset."""
    assert next_range(Buffered(offsets, position, waited_ms), plan, 1, LIMITS) == expected


@given(RANGES)
def test_a_plan_survives_the_metadata(plan: Range) -> None:
    """And no metadata is no plan."""
    assert planned(plan.metadata()) == plan
    assert planned("") is None


@given(RANGES, RANGES, st.integers(0, 3), st.integers(0, 3))
def test_tokens_differ_where_anything_differs(one: Range, other: Range, partition: int, another: int) -> None:
    """The same token only for the same rows."""
    same = (one, partition) == (other, another)
    assert (one.token("t", "topic", partition) == other.token("t", "topic", another)) is same


@pytest.mark.parametrize(
    "metadata",
    ["x", "1", "1:", "1:5", "1:5-", "1:5-7", "1:5-7:", "2:5-7:1", "1:7-5:1", "1:-5-7:1", "1:²-7:1", "1:5-7:1:2"],
)
def test_foreign_metadata_is_refused(metadata: str) -> None:
    """Going on could insert something twice."""
    with pytest.raises(PlanUnreadable, match="not written by this version"):
        planned(metadata)


@given(st.text(max_size=20))
def test_any_metadata_is_a_plan_or_refused(metadata: str) -> None:
    """Nothing else is raised."""
    try:
        plan = planned(metadata)
    except PlanUnreadable:
        return
    assert plan is None or planned(plan.metadata()) == plan
