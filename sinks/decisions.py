"""What the sink does next with one partition. Pure.

    done so far                      next
    a range is due                   commit it as the plan, at its first offset
    the plan is committed            insert it under its token
    it is inserted                   commit the offset after it, with the next plan or with none
    its rows are refused             commit its first half as the plan, at the same offset
    the row of one record is refused write that record to the rejected ones, then commit the offset after it
    the outcome is not known         the same again

Halves are plans like every other. So whatever is inserted was committed before as exactly this range, nothing is ever inserted
under a token that a crash could make the sink forget, and what a repeat finds is never a whole of which a half is stored.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sinks.ranges import Range

WINDOWS = 10


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit `offset` as the next one to insert, and the plan that begins there."""

    offset: int
    plan: Range | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert the rows of a range under its token."""

    range: Range


@dataclass(frozen=True, slots=True)
class Reject:
    """Write the one record of `range` to the rejected ones; `why` is a code, never a value."""

    range: Range
    why: str


Action = Commit | Insert | Reject


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a partition stands: what is to be done now (None: wait until more is due), and the last offsets of the ranges around
    it that were refused, the innermost last: their records stay apart from later ones until the bad one is found."""

    action: Action | None = None
    refused: tuple[int, ...] = ()

    @property
    def free(self) -> bool:
        """Another range may be planned."""
        return self.action is None or (isinstance(self.action, Commit) and self.action.plan is None)


@dataclass(frozen=True, slots=True)
class Due:
    """A range can be planned."""

    range: Range


@dataclass(frozen=True, slots=True)
class Done:
    """The action is known to have taken effect."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The insert was refused for its values, so nothing of it is stored; `offsets` are those of its records."""

    offsets: Sequence[int]
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The action may have taken effect or not."""


Event = Due | Done | Refused | Unknown


def begun(plan: Range | None) -> Progress:
    """A partition as its new owner finds it."""
    return Progress(Insert(plan) if plan else None)


def decide(progress: Progress, event: Event) -> Progress:
    """The partition after an event. Raises ValueError for one that cannot follow."""
    match progress.action, event:
        case None | Commit(plan=None), Due(due):
            return Progress(Commit(due.first, due), progress.refused)
        case Commit(_, None), Done():
            return Progress(None, progress.refused)
        case Commit(_, Range() as plan), Done():
            return Progress(Insert(plan), progress.refused)
        case Insert(done) | Reject(done), Done():
            return Progress(Commit(done.last + 1), tuple(end for end in progress.refused if end > done.last))
        case Insert(whole), Refused([_], why):
            return Progress(Reject(whole, why), progress.refused)
        case Insert(whole), Refused([_, *_] as offsets, _):
            half = Range(whole.first, offsets[(len(offsets) - 1) // 2], whole.rows_version)
            return Progress(Commit(half.first, half), (*progress.refused, whole.last))
        case _, Unknown():
            return progress
    raise ValueError(f"{event} cannot follow {progress}")


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
