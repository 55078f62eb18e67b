"""Which offsets to insert next, and what to remember of it before and after. Pure.

The plan of an insert (first and last offset, version of the rows) is committed as metadata of the partition's offset before the
insert, and cleared by the commit after it. So after a crash the very same range is inserted again under the same token, and
ClickHouse drops it if it was there already. Two properties suffice: whatever fails is done again, and it is done again identically.

    committed offset, metadata      buffered offsets     next range
    5, none                         5 6 7                5-7 when it is full or old enough
    5, plan 5-7                     5 6                  none yet: 7 is still to come
    5, plan 5-7                     5 6 7 8 9            5-7, whatever else is there
    5, plan 5-7                     5 6 9                5-6 under the plan's token: 7 held no record (a transaction's marker)
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

METADATA_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of one partition, both ends included, and the version of the rows made from them."""

    first: int
    last: int
    rows_version: int

    def token(self, table: str, topic: str, partition: int) -> str:
        """The deduplication token: a function of what is inserted and of nothing else."""
        return f"{table}:{topic}:{partition}:{self.first}-{self.last}:{self.rows_version}"

    def metadata(self) -> str:
        """For the offset commit before the insert."""
        return f"{METADATA_VERSION}:{self.first}-{self.last}:{self.rows_version}"


class PlanUnreadable(ValueError):
    """The metadata at a committed offset is not ours; going on could insert something twice."""


def planned(metadata: str) -> Range | None:
    """The plan that was committed, if there is one. Raises PlanUnreadable."""
    if not metadata:
        return None
    version, _, rest = metadata.partition(":")
    ends, _, rows_version = rest.partition(":")
    first, _, last = ends.partition("-")
    numbers = (first, last, rows_version)
    if version != METADATA_VERSION or not all(n.isascii() and n.isdigit() for n in numbers) or int(first) > int(last):
        raise PlanUnreadable(f"offset metadata {metadata!r} was not written by this version")
    return Range(int(first), int(last), int(rows_version))


@dataclass(frozen=True, slots=True)
class Limits:
    """An insert is due with so many records, or so long (milliseconds) after its first one came."""

    records: int
    linger_ms: int


@dataclass(frozen=True, slots=True)
class Buffered:
    """What has been fetched of a partition: offsets ascending; `position` is the next offset that will be fetched, so whatever
    lies below it and is not buffered holds no record; `waited_ms` is how long the first one has waited (milliseconds); `until` is
    the last offset of a range that was refused, whose rest is inserted apart and at once."""

    offsets: Sequence[int]
    position: int
    waited_ms: int
    until: int | None = None


def next_range(buffered: Buffered, plan: Range | None, rows_version: int, limits: Limits) -> Range | None:
    """What to insert now of one partition, or None to wait for more."""
    if plan is not None:
        return plan if buffered.position > plan.last else None
    offsets = buffered.offsets
    if not offsets:
        return None
    if buffered.until is not None and offsets[0] <= buffered.until:
        apart = bisect_right(offsets, buffered.until)
        return Range(offsets[0], offsets[min(apart, limits.records) - 1], rows_version)
    if len(offsets) >= limits.records:
        return Range(offsets[0], offsets[limits.records - 1], rows_version)
    return Range(offsets[0], offsets[-1], rows_version) if buffered.waited_ms >= limits.linger_ms else None
