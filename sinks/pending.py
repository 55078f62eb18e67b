"""What the sink holds of one partition."""

import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

from sinks.decisions import Commit, Done, Event, Insert, Progress, decide
from sinks.ranges import Buffered, Limits, Range, next_range
from sinks.rows import ROWS_VERSION


@dataclass(slots=True)
class Pending:
    """One partition's records that are not in ClickHouse yet, and how far the sink is with them."""

    records: list[Any] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    since: float = 0.0

    @property
    def lacks_records(self) -> bool:
        """Its plan reaches further than what has been fetched."""
        doing = self.progress.action
        return isinstance(doing, Insert) and (not self.records or self.records[-1].offset < doing.range.last)

    @property
    def has_passed_records(self) -> bool:
        """It holds records that it is done with, and whose end remains to be committed."""
        doing = self.progress.action
        return isinstance(doing, Commit) and bool(self.records) and self.records[0].offset < doing.offset

    def within(self, due: Range) -> list[Any]:
        """The records of a range."""
        first = bisect_left(self.records, due.first, key=_offset)
        return self.records[first : bisect_right(self.records, due.last, lo=first, key=_offset)]

    def due(self, position: int, waited_ms: int, limits: Limits) -> Range | None:
        """What can be planned now; `position` is the next offset to fetch."""
        doing, refused = self.progress.action, self.progress.refused
        begin = bisect_left(self.records, doing.offset, key=_offset) if isinstance(doing, Commit) else 0
        offsets = [record.offset for record in self.records[begin:]]
        buffered = Buffered(offsets, position, waited_ms, refused[-1] if refused else None)
        return next_range(buffered, None, ROWS_VERSION, limits)

    def size(self) -> int:
        """Bytes of the records' values."""
        return sum(len(record.value or b"") for record in self.records)

    def heard(self, event: Event) -> None:
        """Something has happened to it; records before a committed offset are let go."""
        doing = self.progress.action
        if isinstance(doing, Commit) and isinstance(event, Done):
            gone = bisect_left(self.records, doing.offset, key=_offset)
            if gone:
                del self.records[:gone]
                self.since = time.monotonic()
        self.progress = decide(self.progress, event)


def _offset(record: Any) -> int:
    return int(record.offset)
