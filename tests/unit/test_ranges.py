"""What to insert next: the rules of the module's docstring one by one, and the plan's way through the offsets' metadata."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sinks.ranges import Buffered, Limits, Plan, PlanUnreadable, Range, next_plan, planned, taken_over

LIMITS = Limits(records=3, linger_ms=100)
RANGES = st.builds(
    lambda partition, first, more: Range(partition, first, first + more),
    st.integers(0, 7),
    st.integers(0, 1 << 62),
    st.integers(0, 10**6),
)
PLANS = st.builds(
    lambda ranges, version: Plan(tuple(sorted(ranges, key=lambda one: one.partition)), version),
    st.lists(RANGES, min_size=1, max_size=8, unique_by=lambda one: one.partition),
    st.integers(0, 99),
)


def plan(*ranges: tuple[int, int, int], version: int = 1) -> Plan:
    return Plan(tuple(Range(*one) for one in ranges), version)


@pytest.mark.parametrize(
    ("offsets", "waited_ms", "apart", "expected"),
    [
        ({0: [5, 6, 7]}, 0, None, plan((0, 5, 7))),
        ({0: [5, 6]}, 99, None, None),
        ({0: [5, 6]}, 100, None, plan((0, 5, 6))),
        ({0: [5], 1: [2, 4]}, 0, None, plan((0, 5, 5), (1, 2, 4))),
        ({1: [2, 4], 0: [], 2: []}, 100, None, plan((1, 2, 4))),
        ({0: [], 1: []}, 1000, None, None),
        ({}, 1000, None, None),
        ({0: [5, 6, 7, 8], 1: [2, 3]}, 0, None, plan((0, 5, 6), (1, 2, 2))),
        ({0: [5, 6, 7, 8, 9, 10], 1: [2]}, 0, None, plan((0, 5, 6))),
        ({0: [1], 1: [1], 2: [1], 3: [1]}, 0, None, plan((0, 1, 1), (1, 1, 1), (2, 1, 1))),
        ({0: [5], 1: [2, 3]}, 0, {1: 2}, plan((1, 2, 2))),
        ({0: [5], 1: [2, 3], 2: [7, 9]}, 0, {1: 3, 2: 8}, plan((1, 2, 3), (2, 7, 7))),
        ({0: [5, 6], 1: [2, 3]}, 0, {0: 6, 1: 3}, plan((0, 5, 6), (1, 2, 2))),
        ({0: [5], 1: []}, 0, {0: 4, 1: 9, 7: 1}, None),
    ],
)
def test_next_plan(
    offsets: dict[int, list[int]], waited_ms: int, apart: dict[int, int] | None, expected: Plan | None
) -> None:
    """What is full or old enough, a share of every partition; and the rest of what was refused before all, and alone."""
    assert next_plan(Buffered(offsets, waited_ms, apart), 1, LIMITS) == expected


@given(
    st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 40), max_size=12).map(sorted), max_size=8),
    st.one_of(st.none(), st.dictionaries(st.integers(0, 7), st.integers(0, 40), max_size=8)),
    st.integers(1, 9),
)
def test_a_plan_begins_where_its_partitions_begin(
    offsets: dict[int, list[int]], apart: dict[int, int] | None, records: int
) -> None:
    """It passes nothing over, holds no more than it may, and is there whenever anything is held long enough."""
    found = next_plan(Buffered(offsets, 100, apart), 1, Limits(records, 100))
    assert (found is None) == (not any(offsets.values()))
    if found is not None:
        held = [[o for o in offsets[one.partition] if one.first <= o <= one.last] for one in found.ranges]
        assert all(offsets[one.partition][0] == one.first for one in found.ranges)
        assert 0 < sum(map(len, held)) <= records


@given(PLANS)
def test_a_plan_survives_the_metadata(one: Plan) -> None:
    """In less than what Kafka takes by default; and no metadata is no plan."""
    assert planned(one.metadata()) == one
    assert len(one.metadata()) < 4096
    assert planned("") is None


@given(PLANS, PLANS)
def test_tokens_differ_where_anything_differs(one: Plan, other: Plan) -> None:
    """The same token only for the same rows."""
    assert (one.token("t", "topic") == other.token("t", "topic")) is (one == other)
    assert len({one.token("t", "topic"), one.token("u", "topic"), one.token("t", "other")}) == 3


@pytest.mark.parametrize(
    "metadata",
    [
        "x",
        "2",
        "2;",
        "2;1",
        "2;1;",
        "2;1;0:5",
        "2;1;0:5-",
        "2;1;0:7-5",
        "2;1;0:5-7;",
        "1;1;0:5-7",
        "1:5-7:1",
        "2;²;0:5-7",
        "2;1;0:-5-7",
        "2;1;0:5-7,",
        "2;1;0:5-7,0:8-9",
        "2;1;1:5-7,0:8-9",
        "2;1;0:5-7\n",
    ],
)
def test_foreign_metadata_is_refused(metadata: str) -> None:
    """Going on could insert something twice."""
    with pytest.raises(PlanUnreadable, match="not written by this version"):
        planned(metadata)


@given(st.text("0123456789;:,-", max_size=20))
def test_any_metadata_is_a_plan_or_refused(metadata: str) -> None:
    """Nothing else is raised."""
    try:
        found = planned(metadata)
    except PlanUnreadable:
        return
    assert found is None or planned(found.metadata()) == found


BOTH = plan((0, 5, 7), (2, 1, 1)).metadata()


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        ({}, None),
        ({0: (5, ""), 1: (9, "")}, None),
        ({0: (5, BOTH), 1: (9, ""), 2: (1, BOTH)}, plan((0, 5, 7), (2, 1, 1))),
    ],
)
def test_a_new_owner_takes_over_what_was_planned(committed: dict[int, tuple[int, str]], expected: Plan | None) -> None:
    """The one plan that stands at the first offset of each of its ranges."""
    assert taken_over(committed) == expected


@pytest.mark.parametrize(
    "committed",
    [
        {0: (5, BOTH), 2: (1, "")},
        {0: (5, BOTH)},
        {0: (6, BOTH), 2: (1, BOTH)},
        {0: (5, BOTH), 1: (5, BOTH), 2: (1, BOTH)},
        {0: (5, BOTH), 2: (1, plan((2, 1, 1)).metadata())},
    ],
)
def test_a_plan_of_which_a_part_is_missing_is_refused(committed: dict[int, tuple[int, str]]) -> None:
    """Somebody has moved an offset: neither the whole nor what is left of it may be inserted."""
    with pytest.raises(PlanUnreadable, match="move those of all partitions"):
        taken_over(committed)
