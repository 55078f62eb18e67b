"""The second stage: one fold per person, from resolved touchpoints to sessions, journeys, scores and the customer view. Pure."""

from typing import Any

from pipeline.codec import Decoder, Encoder
from pipeline.events import Out, Raw, Rejection
from pipeline.topics import OUTPUTS
from processors import cell as cells
from processors.cell import Cell, Touch
from processors.person import Outputs, Reading, Told, outputs
from processors.policies import JourneyPolicy
from processors.state import Person, check, pack, unpack
from processors.store import Store


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


class Ledger:
    """Persons while a batch lasts: unpacked when first touched, with a reading from before, told and packed at the end."""

    def __init__(self, packed: Store, policy: JourneyPolicy) -> None:
        self._packed = packed
        self._policy = policy
        self._open: dict[str, tuple[Person, Reading]] = {}

    def apply(self, person: str, cell: str, touch: Touch, offset: int) -> None:
        """Add one touchpoint; one at or below the last applied offset changes nothing."""
        held = self._open.get(person)
        if held is None:
            packed = self._packed.get(person.encode())
            state = unpack(packed) if packed else Person()
            held = self._open[person] = (state, Reading(self._whole(state) if state.cells else None))
        state = held[0]
        if offset <= state.applied:
            return
        state.applied = offset
        mine = state.cells.get(cell)
        if mine is None:
            mine = state.cells[cell] = Cell.empty()
        cells.add(mine, touch, self._policy)

    def close(self) -> tuple[dict[str, Outputs], dict[bytes, bytes]]:
        """What to tell of each touched person, and their states, packed."""
        told: dict[str, Outputs] = {}
        states: dict[bytes, bytes] = {}
        for person, (state, before) in self._open.items():
            names = sorted(state.cells)
            told[person] = outputs(Told(person, names, state.applied + 1), self._whole(state), before, self._policy)
            for cell in state.cells.values():
                cells.forget(cell, self._policy)
            states[person.encode()] = pack(state)
        self._open.clear()
        return told, states

    def _whole(self, state: Person) -> Cell:
        return cells.union([state.cells[name] for name in sorted(state.cells)], self._policy)


class JourneyFold:
    """The stage's state and step for one partition of resolved touchpoints."""

    def __init__(
        self, decoder: Decoder, encoders: dict[str, Encoder], policy: JourneyPolicy, store: Store | None = None
    ) -> None:
        self._decoder = decoder
        self._encoders = encoders
        self._policy = policy
        self.store = Store() if store is None else store
        self.counts = {"touchpoints": 0, "persons_told": 0}

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take back one record of the changelog. Raises StateTooNew when a newer version wrote it."""
        if value is not None:
            check(value)
        self.store.restore(key, value)

    def restored(self) -> None:
        """The changelog has been read to its end."""

    def fold(self, batch: list[Raw]) -> list[Out]:
        """Apply a batch in order; what changed of every touched person, keyed by person."""
        ledger = Ledger(self.store, self._policy)
        for raw in batch:
            record = self._decoder.decode(raw.value)
            if isinstance(record, Rejection):
                raise ResolvedUnreadable(
                    f"{raw.origin.topic}-{raw.origin.partition}@{raw.origin.offset}: {record.reason}"
                )
            ledger.apply(record["person"], record["cell"], touch_of(record), raw.origin.offset)
        told, states = ledger.close()
        self.counts["touchpoints"] += len(batch)
        self.counts["persons_told"] += len(told)
        for person, packed in states.items():
            self.store.put(person, packed)
        return [
            Out(OUTPUTS[kind], person.encode(), self._encoders[kind].encode(record))
            for person, kinds in told.items()
            for kind, records in kinds.items()
            for record in records
        ]

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""
        return self.store.changes()

    def __len__(self) -> int:
        return len(self.store)
