"""The second stage: one fold per person, from resolved touchpoints to sessions, journeys, scores and the customer view. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import starmap
from typing import Any, Final

import msgspec

from pipeline.codec import Decoder, Encoder
from pipeline.events import Out, Raw
from pipeline.topics import OUTPUTS
from processors import cell as cells
from processors.cell import Cell, Touch
from processors.person import Outputs, Reading, Record, Told, outputs
from processors.poison import POISON, failed, refuse_poison
from processors.policies import JourneyPolicy
from processors.rejects import rejected as reject
from processors.state import Person, check, pack, unpack
from processors.store import Store

STAGE: Final = "journey"
# What the fold needs of a resolved touchpoint: reading these alone is several times faster than reading all of it.
FIELDS: Final = (
    "event_id",
    "channel",
    "occurred_at",
    "actor_type",
    "source",
    "source_session",
    "answer",
    "amount",
    "person",
    "cell",
)


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


class News(msgspec.Struct, frozen=True, gc=False):
    """One touchpoint for a person's fold: where it lies in the source partition, its cell, itself."""

    raw: Raw
    cell: str
    touch: Touch


def touches(columns: dict[str, list[Any]]) -> Iterator[Touch]:
    """The same of resolved touchpoints by columns."""
    answers = _nested(columns, "answer", ("metric", "scale_min", "scale_max", "direction", "value"))
    amounts = _nested(columns, "amount", ("currency", "minor_units"))
    contacts = [
        f"{source}\0{session}" if session else None
        for source, session in zip(columns["source"], columns["source_session"], strict=True)
    ]
    simple = (columns[name] for name in ("event_id", "channel", "occurred_at", "actor_type"))
    return starmap(Touch, zip(*simple, contacts, answers, amounts, strict=True))


def _nested(columns: dict[str, list[Any]], field: str, inner: tuple[str, ...]) -> list[dict[str, Any] | None]:
    parts = [(name, columns[f"{field}.{name}"]) for name in inner]
    found: list[dict[str, Any] | None] = [None] * len(parts[0][1])
    for place, first in enumerate(parts[0][1]):
        if first is not None:  # which nearly none has
            found[place] = {name: column[place] for name, column in parts}
    return found


class Changed(msgspec.Struct, frozen=True):
    """What to tell of all touched persons, by kind of record and with each one's key; and what could not be folded."""

    by_kind: dict[str, list[tuple[bytes, Record]]]
    rejected: list[Out]


class Decoded(msgspec.Struct, frozen=True):
    """A batch by person, each person's touchpoints in order; and what could not be read."""

    by_person: dict[str, list[News]]
    rejected: list[Out]


def step(name: str, state: Person, news: list[News], policy: JourneyPolicy) -> Outputs | None:
    """Add touchpoints to a person's state, in place, and say what to tell of it; None when all were applied before.

    One at or below the last applied offset changes nothing.
    """
    applied = state.applied
    fresh = news
    if news and news[0].raw.origin.offset <= applied:
        fresh = [one for one in news if one.raw.origin.offset > applied]
    if not fresh:
        return None
    places = {(one.touch.channel, one.touch.contact) for one in fresh}
    before = Reading(_whole(state, policy) if state.cells else None, places)
    for one in fresh:
        mine = state.cells.get(one.cell)
        if mine is None:
            mine = state.cells[one.cell] = Cell.empty()
        cells.add(mine, one.touch, policy)
    state.applied = fresh[-1].raw.origin.offset
    told = outputs(Told(name, sorted(state.cells), state.applied + 1), _whole(state, policy), before, policy)
    for cell in state.cells.values():
        cells.forget(cell, policy)
    return told


def sound(name: str, packed: bytes | None, news: list[News], policy: JourneyPolicy) -> tuple[list[News], list[Out]]:
    """Part a person's touchpoints into those that can be folded one after the other and those that cannot, as rejected records."""
    kept: list[News] = []
    rejected: list[Out] = []
    for one in news:
        try:
            step(name, opened(packed), [*kept, one], policy)
        except POISON as error:
            rejected.append(reject(one.raw, failed(error), STAGE))
        else:
            kept.append(one)
    return kept, rejected


def opened(packed: bytes | None) -> Person:
    """A person's state, or that of one who has never been seen. Raises StateTooNew."""
    return unpack(packed) if packed else Person()


def _whole(state: Person, policy: JourneyPolicy) -> Cell:
    if len(state.cells) == 1:
        return next(iter(state.cells.values()))
    return cells.union([state.cells[name] for name in sorted(state.cells)], policy)


class JourneyFold:
    """The stage's state and step for one partition of resolved touchpoints."""

    def __init__(
        self, decoder: Decoder, encoders: dict[str, Encoder], policy: JourneyPolicy, store: Store | None = None
    ) -> None:
        self._decoder = decoder
        self._encoders = encoders
        self._policy = policy
        self.store = Store() if store is None else store
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.late: Counter[str] = Counter()

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take back one record of the changelog. Raises StateTooNew when a newer version wrote it."""
        if value is not None:
            check(value)
        self.store.restore(key, value)

    def restored(self) -> None:
        """The changelog has been read to its end."""

    def fold(self, batch: list[Raw]) -> list[Out]:
        """Apply a batch; what changed of every touched person, keyed by person. Raises Poisoned."""
        return self.encode(self.apply(self.decode(batch)))

    def decode(self, batch: list[Raw]) -> Decoded:
        """The touchpoints of a batch by person: persons do not depend on one another."""
        columns = self._decoder.decode_columns([raw.value for raw in batch])
        unread = dict(columns.rejected)
        read = [raw for place, raw in enumerate(batch) if place not in unread] if unread else batch
        by_person: defaultdict[str, list[News]] = defaultdict(list)
        news = starmap(News, zip(read, columns.by_name["cell"], touches(columns.by_name), strict=True))
        for person, one in zip(columns.by_name["person"], news, strict=True):
            by_person[person].append(one)
        return Decoded(by_person, [reject(batch[place], why, STAGE) for place, why in columns.rejected])

    def apply(self, decoded: Decoded) -> Changed:
        """Fold every person's touchpoints. Raises Poisoned when so many fail that the fault cannot be theirs."""
        rejected = list(decoded.rejected)
        by_kind: dict[str, list[tuple[bytes, Record]]] = {kind: [] for kind in OUTPUTS}
        for person, news in decoded.by_person.items():
            key = person.encode()
            for kind, records in self._folded(person, key, news, rejected).items():
                for record in records:
                    by_kind[kind].append((key, record))
        handled = sum(map(len, decoded.by_person.values())) + len(decoded.rejected)
        refuse_poison(len(rejected), handled)
        self.counts["folded"] += handled - len(rejected)
        self.counts.update(dict(out.headers)["cx.reason"].decode() for out in rejected)
        return Changed(by_kind, rejected)

    def _folded(self, person: str, key: bytes, news: list[News], rejected: list[Out]) -> Outputs:
        packed = self.store.get(key)
        try:
            state = opened(packed)
            found = step(person, state, news, self._policy)
        except POISON:
            kept, poison = sound(person, packed, news, self._policy)
            rejected += poison
            state = opened(packed)
            found = step(person, state, kept, self._policy)
        if found is None:
            return {}
        self.store.put(key, pack(state))
        return found

    def encode(self, told: Changed) -> list[Out]:
        """The records on the wire, by topic."""
        outs = list(told.rejected)
        for kind, pairs in told.by_kind.items():
            encoder, topic = self._encoders[kind], OUTPUTS[kind]
            values = encoder.encode_all([record for _, record in pairs])
            outs += [Out(topic, key, value) for (key, _), value in zip(pairs, values, strict=True)]
        return outs

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""
        return self.store.changes()

    @property
    def size(self) -> int:
        """About how many bytes of memory the state takes."""
        return self.store.bytes_held

    def __len__(self) -> int:
        return len(self.store)
