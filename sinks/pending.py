"""What the sink holds of the partitions of one topic that are inserted together."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sinks.decisions import Commit, Done, Event, Insert, Progress, decide
from sinks.ranges import Buffered, Limits, Offsets, Plan, next_plan
from sinks.rows import ROWS_VERSION


@dataclass(slots=True)
class Pending:
    """Records by partition that are not in ClickHouse yet, how far the sink is with them, and when it planned its last insert
    (seconds of a monotonic clock)."""

    records: dict[int, list[Any]]
    progress: Progress = field(default_factory=Progress)
    planned_at: float = 0.0

    def __len__(self) -> int:
        return sum(map(len, self.records.values()))

    def size(self) -> int:
        """Bytes of the records' values."""
        return sum(len(record.value or b"") for record in chain.from_iterable(self.records.values()))

    def lacks(self, partition: int) -> bool:
        """The plan reaches further in this partition than what has been fetched."""
        doing, records = self.progress.action, self.records.get(partition)
        ranges = doing.plan.ranges if isinstance(doing, Insert) else ()
        return any(one.partition == partition and (not records or records[-1].offset < one.last) for one in ranges)

    @property
    def has_passed_records(self) -> bool:
        """It holds records that it is done with, and whose end remains to be committed."""
        doing = self.progress.action
        begins = doing.offsets if isinstance(doing, Commit) else ()
        return any(
            self.records[partition][0].offset < offset for partition, offset in begins if self.records[partition]
        )

    def within(self, plan: Plan) -> list[Any]:
        """The records of a plan, partition by partition."""
        found: list[Any] = []
        for one in plan.ranges:
            records = self.records[one.partition]
            first = bisect_left(records, one.first, key=_offset)
            found += records[first : bisect_right(records, one.last, lo=first, key=_offset)]
        return found

    def due(self, now: float, limits: Limits) -> Plan | None:
        """What can be planned now."""
        refused = self.progress.refused
        waited_ms = int((now - self.planned_at) * 1000)
        return next_plan(
            Buffered(self._unplanned(), waited_ms, dict(refused[-1]) if refused else None), ROWS_VERSION, limits
        )

    def _unplanned(self) -> Offsets:
        doing = self.progress.action
        begins = dict(doing.offsets) if isinstance(doing, Commit) else {}
        return {
            partition: [
                record.offset for record in records[bisect_left(records, begins.get(partition, 0), key=_offset) :]
            ]
            for partition, records in self.records.items()
        }

    def heard(self, event: Event) -> None:
        """Something has happened to it; records before a committed offset are let go."""
        doing = self.progress.action
        if isinstance(doing, Commit) and isinstance(event, Done):
            for partition, offset in doing.offsets:
                del self.records[partition][: bisect_left(self.records[partition], offset, key=_offset)]
        self.progress = decide(self.progress, event)


def _offset(record: Any) -> int:
    return int(record.offset)
