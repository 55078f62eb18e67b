"""What the sink holds of partitions that are inserted together."""

from types import SimpleNamespace
from typing import Any

from sinks.decisions import Done, Due
from sinks.pending import Pending
from sinks.ranges import Limits, Plan, Range
from sinks.rows import ROWS_VERSION


def record(partition: int, offset: int) -> Any:
    return SimpleNamespace(partition=partition, offset=offset, value=b"12")


def pending(**offsets: range) -> Pending:
    return Pending(
        {int(name[1:]): [record(int(name[1:]), offset) for offset in held] for name, held in offsets.items()}
    )


def plan(*ranges: tuple[int, int, int]) -> Plan:
    return Plan(tuple(Range(*one) for one in ranges), ROWS_VERSION)


def test_records_are_passed_from_their_insert_to_the_commit_after_it_whatever_is_planned_with_it() -> None:
    held = pending(p0=range(6))
    passed = []
    for event in (Due(plan((0, 0, 2))), Done(), Done(), Due(plan((0, 3, 5))), Done(), Done(), Done()):
        held.heard(event)
        passed.append(held.has_passed_records)
    assert passed == [False, False, True, True, False, True, False]
    assert not len(held)


def test_a_commit_lets_go_what_lies_before_it_in_each_partition() -> None:
    held = pending(p0=range(4), p1=range(10, 12), p2=range(2))
    for event in (Due(plan((0, 0, 2), (1, 10, 10))), Done(), Done(), Done()):
        held.heard(event)
    assert {p: [one.offset for one in records] for p, records in held.records.items()} == {0: [3], 1: [11], 2: [0, 1]}
    assert (len(held), held.size()) == (4, 8)


def test_within_gives_the_records_of_a_plan_partition_by_partition() -> None:
    held = pending(p0=range(0, 8, 2), p1=range(5))
    found = held.within(plan((0, 1, 5), (1, 4, 9)))
    assert [(one.partition, one.offset) for one in found] == [(0, 2), (0, 4), (1, 4)]


def test_what_is_due_leaves_out_what_was_just_inserted() -> None:
    held = pending(p0=range(3), p1=range(2))
    for event in (Due(plan((0, 0, 1))), Done(), Done()):
        held.heard(event)
    assert held.due(1.0, Limits(10, 1000)) == plan((0, 2, 2), (1, 0, 1))
    held.planned_at = 0.5
    assert held.due(1.0, Limits(10, 1000)) is None
    assert held.due(1.0, Limits(3, 1000)) == plan((0, 2, 2), (1, 0, 1))


def test_a_plan_taken_over_lacks_what_has_not_been_fetched_yet() -> None:
    held = pending(p0=range(3), p1=range(2), p2=range(0))
    for event in (Due(plan((0, 0, 3), (1, 0, 1))), Done()):
        held.heard(event)
    assert [held.lacks(partition) for partition in (0, 1, 2)] == [True, False, False]
