"""What the sink does next with the partitions of a topic that are inserted together. Pure.

    done so far                      next
    an insert is due                 commit its plan, at the first offset of each of its ranges
    the plan is committed            insert it under its token
    it is inserted                   commit the offsets after it, with the next plan or with none
    its rows are refused             commit its first half as the plan, at the same offsets
    the row of one record is refused write that record to the rejected ones, then commit the offsets after it
    the outcome is not known         the same again

Halves are plans like every other. So whatever is inserted was committed before as exactly this range, nothing is ever inserted
under a token that a crash could make the sink forget, and what a repeat finds is never a whole of which a half is stored.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sinks.ranges import Plan, Range

WINDOWS = 10


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit these offsets (by partition, the next to insert), with the plan as metadata of those that have part in it."""

    offsets: tuple[tuple[int, int], ...]
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert the rows of a plan under its token."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Reject:
    """Write the one record of `plan` to the rejected ones; `why` is a code, never a value."""

    plan: Plan
    why: str


Action = Commit | Insert | Reject
Ends = tuple[tuple[int, int], ...]
"""Last offsets by partition."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where partitions that are inserted together stand: what is to be done now (None: wait until more is due), and the ends of the
    plans around it that were refused, the innermost last: their records stay apart from later ones until the bad one is found."""

    action: Action | None = None
    refused: tuple[Ends, ...] = ()

    @property
    def free(self) -> bool:
        """Another insert may be planned."""
        return self.action is None or (isinstance(self.action, Commit) and self.action.plan is None)


@dataclass(frozen=True, slots=True)
class Due:
    """An insert can be planned."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Done:
    """The action is known to have taken effect."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The insert was refused for its values, so nothing of it is stored; `places` are partition and offset of each of its records,
    ascending."""

    places: Sequence[tuple[int, int]]
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The action may have taken effect or not."""


Event = Due | Done | Refused | Unknown


def begun(plan: Plan | None) -> Progress:
    """Partitions as their new owner finds them."""
    return Progress(Insert(plan) if plan else None)


def decide(progress: Progress, event: Event) -> Progress:
    """The partitions after an event. Raises ValueError for one that cannot follow."""
    match progress.action, event:
        case None | Commit(plan=None), Due(plan):
            passed = progress.action.offsets if progress.action else ()
            return Progress(Commit(_offsets(dict(passed) | _begins(plan)), plan), progress.refused)
        case Commit(_, None), Done():
            return Progress(None, progress.refused)
        case Commit(_, Plan() as plan), Done():
            return Progress(Insert(plan), progress.refused)
        case Insert(plan) | Reject(plan), Done():
            after = tuple((one.partition, one.last + 1) for one in plan.ranges)
            return Progress(Commit(after), _left(progress.refused, dict(after)))
        case Insert(plan), Refused([_], why):
            return Progress(Reject(plan, why), progress.refused)
        case Insert(plan), Refused([_, *_] as places, _):
            ends = tuple((one.partition, one.last) for one in plan.ranges)
            return Progress(Commit(_offsets(_begins(plan)), _half(plan, places)), (*progress.refused, ends))
        case _, Unknown():
            return progress
    raise ValueError(f"{event} cannot follow {progress}")


def _half(whole: Plan, places: Sequence[tuple[int, int]]) -> Plan:
    """The plan of the first half of its records, which lie partition by partition."""
    last = dict(places[: (len(places) + 1) // 2])
    ranges = [Range(one.partition, one.first, last[one.partition]) for one in whole.ranges if one.partition in last]
    return Plan(tuple(ranges), whole.rows_version)


def _left(refused: tuple[Ends, ...], next_offsets: dict[int, int]) -> tuple[Ends, ...]:
    """What of refused plans remains to be inserted."""
    left = (tuple((p, end) for p, end in ends if next_offsets.get(p, 0) <= end) for ends in refused)
    return tuple(ends for ends in left if ends)


def _begins(plan: Plan) -> dict[int, int]:
    return {one.partition: one.first for one in plan.ranges}


def _offsets(by_partition: dict[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(by_partition.items()))


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The sink stops when at least this share of a table's last rows was refused, once it has tried so many."""

    share: float = 0.5
    rows: int = 100


@dataclass(slots=True)
class Breaker:
    """Tells a bad row from a bad table: counts what became of the last rows of one table."""

    tolerance: Tolerance
    _runs: deque[tuple[int, bool]] = field(default_factory=deque)

    def note(self, records: int, *, refused: bool) -> None:
        """So many records were inserted, or refused for good."""
        window = self.tolerance.rows * WINDOWS
        self._runs.append((min(records, window), refused))
        while sum(records for records, _ in self._runs) - self._runs[0][0] >= window:
            self._runs.popleft()

    @property
    def open(self) -> bool:
        """Most of what was tried last is refused: this is no matter of single rows."""
        tried = sum(records for records, _ in self._runs)
        refused = sum(records for records, bad in self._runs if bad)
        return tried >= self.tolerance.rows and refused >= self.tolerance.share * tried
