"""What the sink holds of a partition: when it is past records whose end remains to be committed."""

from types import SimpleNamespace

from sinks.decisions import Done, Due
from sinks.pending import Pending
from sinks.ranges import Range


def test_records_are_passed_from_their_insert_to_the_commit_after_it_whatever_is_planned_with_it() -> None:
    pending = Pending([SimpleNamespace(offset=offset) for offset in range(6)])
    passed = []
    for event in (Due(Range(0, 2, 1)), Done(), Done(), Due(Range(3, 5, 1)), Done(), Done(), Done()):
        pending.heard(event)
        passed.append(pending.has_passed_records)
    assert passed == [False, False, True, True, False, True, False]
    assert not pending.records
