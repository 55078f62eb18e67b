"""The second stage: one fold per person, from resolved touchpoints to sessions, journeys, scores and the customer view. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.codec import Decoder, Encoder
from pipeline.events import Out, Raw, Rejection
from pipeline.topics import OUTPUTS
from processors import cell as cells
from processors.cell import Cell, Touch
from processors.person import Outputs, Reading, Record, Told, outputs
from processors.policies import JourneyPolicy
from processors.state import Person, check, pack, unpack


class ResolvedUnreadable(Exception):
    """A record of ours cannot be read: a fault of this installation that must stop the stage, not a bad event."""


def touch_of(record: dict[str, Any]) -> Touch:
    """What the fold needs of a resolved touchpoint."""
    contact = record["source_session"]
    return Touch(
        record["event_id"],
        record["channel"],
        record["occurred_at"],
        record["actor_type"],
        f"{record['source']}\0{contact}" if contact else None,
        record["answer"],
        record["amount"],
    )


class News(msgspec.Struct, frozen=True):
    """One touchpoint for a person's fold: the offset at which it lies in the source partition, its cell, itself."""

    offset: int
    cell: str
    touch: Touch


def step(name: str, state: Person, news: list[News], policy: JourneyPolicy) -> Outputs | None:
    """Add touchpoints to a person's state, in place, and say what to tell of it; None when all were applied before.

    One at or below the last applied offset changes nothing.
    """
    fresh = [one for one in news if one.offset > state.applied]
    if not fresh:
        return None
    before = Reading(
        _whole(state, policy) if state.cells else None, {(n.touch.channel, n.touch.contact) for n in fresh}
    )
    for one in fresh:
        mine = state.cells.get(one.cell)
        if mine is None:
            mine = state.cells[one.cell] = Cell.empty()
        cells.add(mine, one.touch, policy)
    state.applied = fresh[-1].offset
    told = outputs(Told(name, sorted(state.cells), state.applied + 1), _whole(state, policy), before, policy)
    for cell in state.cells.values():
        cells.forget(cell, policy)
    return told


def _whole(state: Person, policy: JourneyPolicy) -> Cell:
    return cells.union([state.cells[name] for name in sorted(state.cells)], policy)


class JourneyFold:
    """The stage's state and step for one partition of resolved touchpoints."""

    def __init__(self, decoder: Decoder, encoders: dict[str, Encoder], policy: JourneyPolicy) -> None:
        self._decoder = decoder
        self._encoders = encoders
        self._policy = policy
        self._people: dict[bytes, bytes] = {}
        self._changes: dict[bytes, bytes] = {}
        self.counts = {"touchpoints": 0, "persons_told": 0}

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take back one record of the changelog."""
        if value is None:
            self._people.pop(key, None)
        else:
            self._people[key] = value

    def restored(self) -> None:
        """The changelog has been read to its end. Raises StateTooNew when a newer version wrote it."""
        for packed in self._people.values():
            check(packed)

    def fold(self, batch: list[Raw]) -> list[Out]:
        """Apply a batch; what changed of every touched person, keyed by person. Persons do not depend on one another."""
        told: dict[str, list[tuple[bytes, Record]]] = {kind: [] for kind in OUTPUTS}
        for person, news in self._news(batch).items():
            key = person.encode()
            packed = self._people.get(key)
            state = unpack(packed) if packed else Person()
            found = step(person, state, news, self._policy)
            if found is None:
                continue
            self._people[key] = self._changes[key] = pack(state)
            for kind, records in found.items():
                told[kind] += [(key, record) for record in records]
            self.counts["persons_told"] += 1
        self.counts["touchpoints"] += len(batch)
        return [out for kind, pairs in told.items() for out in self._encoded(kind, pairs)]

    def _news(self, batch: list[Raw]) -> dict[str, list[News]]:
        by_person: dict[str, list[News]] = {}
        for raw in batch:
            record = self._decoder.decode(raw.value)
            if isinstance(record, Rejection):
                where = f"{raw.origin.topic}-{raw.origin.partition}@{raw.origin.offset}"
                raise ResolvedUnreadable(f"{where}: {record.reason}")
            news = News(raw.origin.offset, record["cell"], touch_of(record))
            by_person.setdefault(record["person"], []).append(news)
        return by_person

    def _encoded(self, kind: str, pairs: list[tuple[bytes, Record]]) -> Iterator[Out]:
        encoder, topic = self._encoders[kind], OUTPUTS[kind]
        for key, record in pairs:
            yield Out(topic, key, encoder.encode(record))

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""
        found: list[tuple[bytes, bytes | None]] = list(self._changes.items())
        self._changes.clear()
        return found

    def __len__(self) -> int:
        return len(self._people)
