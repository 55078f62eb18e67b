"""The stream of records: touchpoints of the world at an even rate, some of them twice, late or broken."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count, cycle
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from pipeline.events import Reason, Touchpoint
from pipeline.produce import Raw
from pipeline.simulate.faults import BREAKERS, can_be_late, late
from pipeline.simulate.options import Options
from pipeline.simulate.world import World

_REMEMBERED: Final = 200


class Kind(StrEnum):
    """What a record is to the pipeline: stored (on time or late), known already, or rejected."""

    ON_TIME = "on_time"
    LATE = "late"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Record:
    """One record with its kind; `reason` is the rejection that an invalid one deserves."""

    kind: Kind
    content: Touchpoint | Raw
    reason: Reason | None = None


@dataclass(slots=True)
class Tally:
    """How many records of each kind there were; event types and channels are those of touchpoints to be stored."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    event_types: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.kinds[record.kind] += 1
        if record.reason:
            self.reasons[record.reason.value] += 1
        elif record.kind is not Kind.DUPLICATE and isinstance(record.content, Touchpoint):
            self.event_types[record.content.event_type] += 1
            self.channels[record.content.channel] += 1

    def summary(self) -> dict[str, Any]:
        """What the pipeline has to account for: stored, of these late, duplicates, and rejections by reason."""
        return {
            "records": self.kinds.total(),
            "stored": self.kinds[Kind.ON_TIME] + self.kinds[Kind.LATE],
            "late": self.kinds[Kind.LATE],
            "duplicates": self.kinds[Kind.DUPLICATE],
            "rejected": self.kinds[Kind.INVALID],
            "reasons": dict(sorted(self.reasons.items())),
            "event_types": dict(sorted(self.event_types.items())),
            "channels": dict(sorted(self.channels.items())),
        }


class Simulation:
    """One run. Iterating gives its records; equal options give equal records. Holds no clock.

    Record number i belongs to the time start + i / rate, and nothing in it is later than that.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._world = World(options)
        self._rng = Random(f"{options.run}/faults")
        self._breakers = cycle(BREAKERS.items())
        self._recent: deque[Touchpoint] = deque(maxlen=_REMEMBERED)
        self._owed_late = 0.0
        self._at = options.start

    def __iter__(self) -> Iterator[Record]:
        options = self.options
        for number in count():
            passed = int(number * 1000 / options.rate)
            if options.duration_ms is not None and passed >= options.duration_ms:
                return
            self._at = options.start + passed
            yield self._record(self._at)

    def truth(self) -> dict[str, Any]:
        """What is true at the time of the last record; see docs/input.md."""
        return {"seed": self.options.seed, "start": self.options.start, **self._world.truth(self._at)}

    def _record(self, at: int) -> Record:
        draw = self._rng.random()
        if self._recent and draw < self.options.duplicates:
            return Record(Kind.DUPLICATE, self._recent[self._rng.randrange(len(self._recent))])
        if self._recent and draw > 1 - self.options.invalid:
            reason, broken = next(self._breakers)
            fresh = replace(self._recent[-1], event_id=self._world.next_id())
            return Record(Kind.INVALID, broken(fresh, self.options.schema_id), reason)
        touchpoint, kind = self._world.next(at), Kind.ON_TIME
        self._owed_late += self.options.late
        if can_be_late(touchpoint) and self._rng.random() < self._owed_late:
            touchpoint, kind = late(touchpoint, at, self._rng), Kind.LATE
            self._owed_late -= 1
        self._recent.append(touchpoint)
        return Record(kind, touchpoint)


def simulate(options: Options) -> Iterator[Touchpoint | Raw]:
    """The records of a simulation without their kinds."""
    return (record.content for record in Simulation(options))
