"""Which worker gets which partitions of the sink."""

import hypothesis.strategies as st
from hypothesis import given

from sinks.assignment import TOGETHER, shared_out, unit_of

TOPICS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 30).map(range))
MEMBERS = st.lists(st.text("xyz", min_size=1), min_size=1, max_size=5, unique=True)


@given(TOPICS, MEMBERS)
def test_every_partition_has_one_worker_and_what_is_inserted_together_the_same(
    partitions: dict[str, range], members: list[str]
) -> None:
    found = shared_out(partitions, members)
    assert set(found) == set(members)
    owners = [(unit_of(t, p), m) for m, share in found.items() for t, ps in share.items() for p in ps]
    assert len(owners) == sum(map(len, partitions.values()))
    assert len(set(owners)) == len({unit for unit, _ in owners})
    assert all(ps == sorted(ps) for share in found.values() for ps in share.values())


@given(TOPICS, MEMBERS)
def test_no_worker_has_two_units_more_than_another(partitions: dict[str, range], members: list[str]) -> None:
    units = [
        len({unit_of(t, p) for t, ps in share.items() for p in ps})
        for share in shared_out(partitions, members).values()
    ]
    assert max(units) - min(units) <= 1


def test_units_do_not_change_when_a_topic_gets_more_partitions() -> None:
    """A plan that was committed before must find its partitions together after."""
    assert TOGETHER == 8
    assert [unit_of("t", p) for p in (0, 7, 8, 15, 16)] == [("t", 0), ("t", 0), ("t", 1), ("t", 1), ("t", 2)]
