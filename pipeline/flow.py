"""The whole pipeline as one pure function over a list of records. Also the oracle: what the stream stored must equal its answer.

A record is decoded and validated, or rejected with a reason; one whose event id has been seen is a duplicate; the others belong
to a cell and a person; each person's cells are folded; and what they have become is told as sessions, journeys, scores and a view.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipeline.events import Origin, Raw, Rejection
from processors import cell as cells
from processors.cell import Cell
from processors.clocks import Clocks
from processors.dedupe import Seen
from processors.journey import touch_of
from processors.person import Outputs, Reading, Told, outputs
from processors.policies import JourneyPolicy
from processors.resolve import Admission, Admitted, Verdict, added, admit, timed
from processors.store import Store

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the two stages are told by the settings."""

    admission: Admission
    policy: JourneyPolicy


@dataclass(slots=True)
class Result:
    """What became of every record, and what is known of every person in the end."""

    touchpoints: list[Record] = field(default_factory=list)
    rejected: list[tuple[Raw, Rejection]] = field(default_factory=list)
    duplicates: list[Origin] = field(default_factory=list)
    rekeyed: list[Origin] = field(default_factory=list)
    persons: dict[str, Outputs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A valid touchpoint, with what is added to it."""

    record: Record


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is not a touchpoint, and what of it could be read."""

    raw: Raw
    why: Rejection
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """A record whose event id has been seen."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A record that was sent on to its own partition, where it is another record of the log."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a person in the end."""

    person: str
    outputs: Outputs


Fate = Stored | Refused | Repeated | Rekeyed | Known


def flow(records: Iterable[Raw], rules: Rules) -> Result:
    """Everything, in order of arrival. Raises RegistryUnavailable."""
    result = Result()
    for fate in fates(records, rules):
        if isinstance(fate, Stored):
            result.touchpoints.append(fate.record)
        elif isinstance(fate, Refused):
            result.rejected.append((fate.raw, fate.why))
        elif isinstance(fate, Repeated):
            result.duplicates.append(fate.origin)
        elif isinstance(fate, Rekeyed):
            result.rekeyed.append(fate.origin)
        else:
            result.persons[fate.person] = fate.outputs
    return result


def fates(records: Iterable[Raw], rules: Rules) -> Iterator[Fate]:
    """The same, one after the other: first what became of every record, then every person. Raises RegistryUnavailable."""
    seen: dict[tuple[str, int], Seen] = defaultdict(lambda: Seen(rules.admission.horizon_h))
    clocks: dict[tuple[str, int], Clocks] = {}
    people: dict[str, dict[str, Cell]] = defaultdict(lambda: defaultdict(Cell.empty))
    for raw in _in_order(records):
        verdict = admit(raw, seen[raw.origin.topic, raw.origin.partition], rules.admission)
        if isinstance(verdict, Rejection):
            record = rules.admission.decoder.decode(raw.value)
            yield Refused(raw, verdict, None if isinstance(record, Rejection) else record)
        elif isinstance(verdict, Admitted):
            place = raw.origin.topic, raw.origin.partition
            known = clocks.get(place) or clocks.setdefault(place, Clocks(place[0], Store()))
            one = timed(verdict, known)
            whole = {**one.record, **added(one.resolved)}
            cells.add(people[whole["person"]][whole["cell"]], touch_of(whole), rules.policy)
            yield Stored(whole)
        elif verdict is Verdict.REKEYED:
            yield Rekeyed(raw.origin)
        else:
            yield Repeated(raw.origin)
    for person, held in people.items():
        yield Known(person, _told(person, held, rules.policy))


def _in_order(records: Iterable[Raw]) -> list[Raw]:
    """By arrival, but never against the offsets of a partition, whatever a broker's clock has said."""
    clocks: dict[tuple[str, int], int] = {}
    timed: list[tuple[int, str, int, int, Raw]] = []
    for raw in sorted(records, key=lambda raw: raw.origin.offset):
        topic, partition, offset, arrived_at = msgspec.structs.astuple(raw.origin)
        clock = clocks[topic, partition] = max(arrived_at, clocks.get((topic, partition), arrived_at))
        timed.append((clock, topic, partition, offset, raw))
    return [one[-1] for one in sorted(timed, key=lambda one: one[:-1])]


def _told(person: str, held: dict[str, Cell], policy: JourneyPolicy) -> Outputs:
    names = sorted(held)
    whole = cells.union([held[name] for name in names], policy)
    return outputs(Told(person, names, 1), whole, Reading(None), policy)
