"""What is known of records that were sent again after they had been rejected, and what may be sent. Pure.

The topic `redrives.v1` has one entry for each, written in the transaction that sends it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipeline.codec import Decoder, Encoder, Record
from pipeline.events import Origin, Raw, Reason, Rejection
from pipeline.patch import Patch, patched
from processors.resolve import STAGE, Admission, Admitted, judge

_MISFIT: Final = Rejection(Reason.DECODE, "", "a touchpoint", "one with values that its fields do not take")


class Place(NamedTuple):
    """Where a record lies; written `topic-partition@offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


def place_of(text: str) -> Place:
    """The place that a text names. Raises ValueError."""
    head, _, offset = text.rpartition("@")
    topic, _, partition = head.rpartition("-")
    if not topic or not all(number.isascii() and number.isdigit() for number in (partition, offset)):
        raise ValueError(f"{text!r} is no place of a record, such as cx.touchpoints.web.v1-3@1204")
    return Place(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected record as the tables have it: the place of its source, why, and its own bytes. `rejected_at` is milliseconds since
    epoch, UTC."""

    place: Place
    stage: str
    reason: str
    field: str
    expected: str
    got: str
    schema_id: int | None
    rejected_at: int
    key: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Redriven:
    """A record was sent again, at `at` (milliseconds since epoch, UTC) to `to`, with a patch or as it was."""

    at: int
    to: Place
    patched: bool

    def entry(self) -> bytes:
        """For the topic of these."""
        return json.dumps({"at": self.at, "to": str(self.to), "patched": self.patched}).encode()


Ledger = dict[Place, Redriven]


def ledger_of(entries: Iterable[Raw]) -> Ledger:
    """What the topic says, by the place of what was rejected. Raises ValueError for an entry that is not ours."""
    found: Ledger = {}
    for raw in entries:
        said = json.loads(raw.value or b"{}")
        found[place_of((raw.key or b"").decode())] = Redriven(said["at"], place_of(said["to"]), said["patched"])
    return found


def attempt(place: Place, ledger: Mapping[Place, Redriven]) -> int:
    """How often the record that now lies at `place` was sent, as far as the ledger knows."""
    came_from = {one.to: before for before, one in ledger.items()}
    times = 1
    while place in came_from:
        place, times = came_from[place], times + 1
    return times


@dataclass(frozen=True, slots=True)
class Sendable:
    """A record that can go back to its topic: under which key, with which bytes."""

    place: Place
    key: bytes
    value: bytes
    patched: bool


@dataclass(frozen=True, slots=True)
class Unsendable:
    """One that cannot, and why."""

    place: Place
    why: str


@dataclass(frozen=True, slots=True)
class Judge:
    """How records are read, judged and written: as the stage does it now, and with the installation's newest schema."""

    admission: Admission
    decoder: Decoder
    encoder: Encoder

    def of(self, one: Rejected, patch: Patch | None, now: int) -> Sendable | Unsendable:
        """Whether a record, as it is or patched, would now be taken; `now` is milliseconds since epoch, UTC.

        Raises RegistryUnavailable.
        """
        if one.stage != STAGE:
            return Unsendable(one.place, f"the stage {one.stage} rejected it, and only what {STAGE} rejected goes back")
        record, value = self.decoder.decode(one.payload), one.payload
        if patch is not None and not isinstance(record, Rejection):
            record, value = self._written(patched(record, patch))
        origin = Origin(one.place.topic, one.place.partition, one.place.offset, now)
        judged = judge(Raw(origin, one.key, value), record, self.admission)
        if isinstance(judged, Admitted):
            return Sendable(one.place, judged.resolved.cell.encode(), value, patch is not None)
        where = f" at {judged.field}" if judged.field else ""
        return Unsendable(one.place, f"{judged.reason.value}{where}: expected {judged.expected}, got {judged.got}")

    def _written(self, record: Any) -> tuple[Record | Rejection, bytes]:
        try:
            value = self.encoder.encode(record)
        except (ValueError, TypeError, AttributeError, OverflowError, LookupError):
            return _MISFIT, b""
        again = self.decoder.decode(value)
        return (again, value) if again == record else (_MISFIT, b"")
