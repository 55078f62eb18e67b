"""What is known of records that were sent again after they had been rejected. Pure.

The topic `redrives.v1` has one entry for each, written in the transaction that sends it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.events import Raw

# What a topic may be called is Kafka's rule, so a place that is read holds no other characters.
_PLACE: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})-([0-9]{1,10})@([0-9]{1,19})", re.ASCII)


class Place(NamedTuple):
    """Where a record lies; written `topic-partition@offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


def place_of(text: str) -> Place:
    """The place that a text names. Raises ValueError."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:300]!r} is no place of a record, such as cx.touchpoints.web.v1-3@1204")
    return Place(found[1], int(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected record as the tables have it: the place of its source, why, and its own bytes. `rejected_at` is milliseconds since
    epoch, UTC; source, event type and channel are told as far as they could be read; `attempt` is what its header said.

    What the intake rejects has been on no other topic, so its place is where it lies on `rejected.v1`.
    """

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
    source: str = ""
    event_type: str = ""
    channel: str = ""
    attempt: int = 1


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


class LedgerUnreadable(ValueError):
    """An entry says nothing, so what was sent is not known; says where it lies."""


def ledger_of(entries: Iterable[Raw]) -> Ledger:
    """What the topic says, by the place of what was rejected: of each key the last entry, and nothing where that has no value, as
    compaction keeps it. Raises LedgerUnreadable for an entry that is not ours."""
    last = {raw.key: raw for raw in entries}
    return dict(_entry(raw) for raw in last.values() if raw.value is not None)


def _entry(raw: Raw) -> tuple[Place, Redriven]:
    try:
        said = json.loads(raw.value or b"")
        return place_of((raw.key or b"").decode()), Redriven(int(said["at"]), place_of(said["to"]), said["patched"])
    except (ValueError, LookupError, TypeError):
        at = Place(raw.origin.topic, raw.origin.partition, raw.origin.offset)
        raise LedgerUnreadable(
            f"what lies at {at} was not written by touchstream: nothing is sent until its key has got a record without value"
        ) from None


Before = dict[Place, Place]


def before_of(ledger: Mapping[Place, Redriven]) -> Before:
    """By the place of a record that was sent again, the place of the one that was rejected."""
    return {one.to: rejected for rejected, one in ledger.items()}


def attempt(place: Place, before: Mapping[Place, Place]) -> int:
    """How often the record that now lies at `place` was sent, as far as the ledger knows."""
    times = 1
    while place in before:
        place, times = before[place], times + 1
    return times


class Along(NamedTuple):
    """A record that goes with another one, in the same transaction: to which topic, under which key, with which bytes."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Sendable:
    """A record that can be sent again: to which topic, under which key, with which bytes.

    `partition` is None where it follows from the key. `along` are the other touchpoints of a row that gives several. `overtaken`
    says of another record of the topic that it is a newer one of the same thing: with such a one before it, this must not be sent.
    """

    place: Place
    topic: str
    key: bytes
    value: bytes
    patched: bool
    partition: int | None = None
    overtaken: Callable[[Raw], bool] | None = field(default=None, compare=False)
    along: tuple[Along, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsendable:
    """One that cannot, and why."""

    place: Place
    why: str
