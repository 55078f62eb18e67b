"""The first stage: is this a touchpoint, is it new, and whose is it? Pure; every record is stored, rejected or a duplicate."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from pipeline.codec import HEAD_BYTES, Decoder, Encoder, Record
from pipeline.events import Out, Raw, Reason, Rejection, Resolved
from pipeline.keys import Keyring, person_of
from pipeline.topics import RESOLVED
from processors.clocks import MARK, Clocks
from processors.dedupe import Seen
from processors.poison import POISON, failed, refuse_poison
from processors.rejects import rejected
from processors.rekey import Places
from processors.store import Store
from processors.validate import TimeLimits, validate
from schemas.lateness import is_late
from schemas.registry import load

STAGE: Final = "resolve"
ADDED: Final = 8
MOST_WRITERS: Final = 1000
"""Writers that are remembered at once."""
TOPICS_KEY: Final = b"\0t"
NO_TOPICS: Final = msgspec.msgpack.encode([])


class Verdict(Enum):
    """What becomes of a record that is neither new nor wrong."""

    DUPLICATE = "duplicate"
    REKEYED = "rekeyed"


@dataclass(frozen=True, slots=True)
class Admission:
    """What it takes to judge a record: how to read it, how to name persons, which times are sane, how long ids are known.

    `known_types` are the event types that are taken; None: all. `places` says to which partition a touchpoint belongs; without it,
    to any.
    """

    decoder: Decoder
    keyring: Keyring
    limits: TimeLimits
    horizon_h: int
    known_types: frozenset[str] | None = None
    places: Places | None = None

    def elsewhere(self, one: "Admitted") -> int | None:
        """The partition that a touchpoint belongs to when it lies in another one."""
        if self.places is None:
            return None
        home = self.places.home(one.resolved.cell)
        return None if home == one.resolved.origin.partition else home


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A valid touchpoint, seen for the first time."""

    record: dict[str, Any]
    resolved: Resolved


def judge(raw: Raw, record: Record | Rejection, admission: Admission) -> Admitted | Rejection:
    """Whether a decoded record is a valid touchpoint, and whose."""
    if isinstance(record, Rejection):
        return record
    owner = validate(record, raw.origin.arrived_at, admission.limits, admission.known_types)
    if isinstance(owner, Rejection):
        return owner
    cell = admission.keyring.cell(*owner)
    return Admitted(record, Resolved(person_of(cell), cell, 0, raw.origin))


def admit(raw: Raw, seen: Seen, admission: Admission) -> Admitted | Rejection | Verdict:
    """Judge one record. Only a valid touchpoint is remembered in `seen`. Raises RegistryUnavailable."""
    judged = judge(raw, admission.decoder.decode(raw.value), admission)
    if not isinstance(judged, Admitted):
        return judged
    if admission.elsewhere(judged) is not None:
        return Verdict.REKEYED
    return judged if seen.admit(judged.record["event_id"], raw.origin.arrived_at) else Verdict.DUPLICATE


def timed(one: Admitted, clocks: Clocks) -> Admitted:
    """A new touchpoint at the time at which it happened, as far as its device's clock is known to be wrong."""
    told = one.record["occurred_at"]
    happened = clocks.corrected(one.record, one.resolved.origin.arrived_at)
    if happened == told:
        return one
    return Admitted({**one.record, "occurred_at": happened}, msgspec.structs.replace(one.resolved, reported_at=told))


def added(resolved: Resolved) -> dict[str, Any]:
    """The fields that a resolved touchpoint has beyond those of a touchpoint."""
    origin = resolved.origin
    return {
        "person": resolved.person,
        "cell": resolved.cell,
        "identity_version": resolved.identity_version,
        "arrived_at": origin.arrived_at,
        "source_topic": origin.topic,
        "source_partition": origin.partition,
        "source_offset": origin.offset,
        "reported_at": resolved.reported_at,
    }


class ResolvedWriter:
    """Writes resolved touchpoints. Their schema begins with Touchpoint's fields, so a record of our version keeps its bytes.

    So does one of an earlier version that lacks nothing but fields at the end. `decoder` knows who wrote touchpoints.
    """

    def __init__(self, whole: Encoder, decoder: Decoder) -> None:
        self._whole = whole
        self._decoder = decoder
        self._lacking: dict[bytes, bytes | None] = {}
        self._head = b"\0" + whole.schema_id.to_bytes(4, "big")
        schema = load("resolved_touchpoint")
        self._tails = whole.bodies({**schema, "name": "Added", "fields": schema["fields"][-ADDED:]})

    def write(self, one: Admitted) -> bytes:
        """A resolved touchpoint that says something else than its touchpoint on the wire."""
        return self._whole.encode({**one.record, **added(one.resolved)})

    def write_all(self, admitted: Sequence[tuple[bytes, Admitted]]) -> list[bytes]:
        """The resolved touchpoints on the wire, of touchpoints on the wire. Raises RegistryUnavailable."""
        more = [added(one.resolved) for _, one in admitted]
        written: list[bytes | None] = []
        for (raw, _), tail in zip(admitted, self._tails.all(more), strict=True):
            lacking = self._behind(raw)
            written.append(None if lacking is None else b"".join((self._head, raw[HEAD_BYTES:], lacking, tail)))
        others = [place for place, one in enumerate(written) if one is None]
        encoded = iter(self._whole.encode_all([{**admitted[place][1].record, **more[place]} for place in others]))
        return [next(encoded) if one is None else one for one in written]

    def _behind(self, raw: bytes) -> bytes | None:
        head = raw[:HEAD_BYTES]
        if head not in self._lacking:
            way = self._decoder.way(raw)
            if len(self._lacking) >= MOST_WRITERS:
                self._lacking.clear()
            self._lacking[head] = way.lacking if way else None
        return self._lacking[head]


class ResolveFold:
    """The stage's state and step for one partition of every source topic."""

    def __init__(self, admission: Admission, writer: ResolvedWriter, store: Store | None = None) -> None:
        self.store = Store() if store is None else store
        self._admission = admission
        self._writer = writer
        self._seen: dict[str, Seen] = {}
        self._clocks: dict[str, Clocks] = {}
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.late: Counter[str] = Counter()

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take back one record of the changelog."""
        topic, hour, index = key.decode().split("\0")
        if hour == MARK:
            self.store.restore(key, value)
            return
        self._of(topic).restore(int(hour), int(index), value)

    def restored(self) -> None:
        """The changelog has been read to its end."""
        for topic in msgspec.msgpack.decode(self.store.get(TOPICS_KEY) or NO_TOPICS, type=list[str]):
            self._of(topic)
        for seen in self._seen.values():
            seen.restored()

    def fold(self, batch: list[Raw]) -> list[Out]:
        """Judge every record of a batch, in order; one Out for each that is not a duplicate. Raises Poisoned.

        What lies in another partition than its own is sent on there, and judged again where it comes to.
        """
        return self.encode(self.apply(self.decode(batch)))

    def decode(self, batch: list[Raw]) -> list[tuple[Raw, Record | Rejection]]:
        """Every record with what its bytes say. Raises RegistryUnavailable."""
        found = self._admission.decoder.decode_all([raw.value for raw in batch])
        return list(zip(batch, found, strict=True))

    def apply(self, decoded: list[tuple[Raw, Record | Rejection]]) -> list[Out]:
        """Judge, write and remember. Raises Poisoned when so many fail that the fault cannot be theirs.

        What is written is written before its id is noted, because writing may fail, and then it has not been seen.
        """
        judged = [(raw, self._judged(raw, record)) for raw, record in decoded]
        written = iter(self._written([(raw, one) for raw, one in judged if isinstance(one, Admitted)]))
        outs: list[Out] = []
        failures = 0
        for (raw, one), (_, record) in zip(judged, decoded, strict=True):
            found = next(written) if isinstance(one, Admitted) else one
            if isinstance(found, Out):
                self.counts[Verdict.REKEYED.value] += 1
                outs.append(found)
            elif isinstance(found, Rejection):
                failures += found.reason is Reason.PROCESSING_FAILED
                self.counts[found.reason.value] += 1
                self.rejected[raw.origin.topic] += 1
                outs.append(rejected(raw, found, STAGE, record if isinstance(record, dict) else None))
            elif isinstance(one, Admitted) and self._is_new(raw, one):
                outs.append(Out(RESOLVED, one.resolved.person.encode(), self._timed(one, found)))
        refuse_poison(failures, len(decoded))
        return outs

    def _judged(self, raw: Raw, record: Record | Rejection) -> Admitted | Rejection | Out:
        try:
            judged = judge(raw, record, self._admission)
        except POISON as error:
            return failed(error)
        places = self._admission.places
        if places is None or not isinstance(judged, Admitted) or self._admission.elsewhere(judged) is None:
            return judged
        return places.sent_on(raw, judged.resolved.cell)

    def _written(self, admitted: list[tuple[Raw, Admitted]]) -> list[bytes | Rejection]:
        pairs = [(raw.value or b"", one) for raw, one in admitted]
        try:
            return [*self._writer.write_all(pairs)]
        except POISON:
            return [self._written_alone(*pair) for pair in pairs]

    def _written_alone(self, value: bytes, one: Admitted) -> bytes | Rejection:
        try:
            return self._writer.write_all([(value, one)])[0]
        except POISON as error:
            return failed(error)

    def _timed(self, one: Admitted, written: bytes) -> bytes:
        at_its_time = timed(one, self._clocks_of(one.resolved.origin.topic))
        if is_late(at_its_time.record, one.resolved.origin.arrived_at):
            self.late[one.record["channel"]] += 1
        return written if at_its_time is one else self._writer.write(at_its_time)

    def _clocks_of(self, topic: str) -> Clocks:
        found = self._clocks.get(topic)
        if found is None:
            found = self._clocks[topic] = Clocks(topic, self.store)
        return found

    def _is_new(self, raw: Raw, one: Admitted) -> bool:
        new = self._of(raw.origin.topic).admit(one.record["event_id"], raw.origin.arrived_at)
        self.counts["admitted" if new else "duplicate"] += 1
        return new

    def encode(self, outs: list[Out]) -> list[Out]:
        """They are on the wire already."""
        return outs

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""
        for seen in self._seen.values():
            seen.flush()
        return self.store.changes()

    @property
    def size(self) -> int:
        """About how many bytes of memory the state takes."""
        return self.store.bytes_held

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def _of(self, topic: str) -> Seen:
        found = self._seen.get(topic)
        if found is None:
            found = self._seen[topic] = Seen(self._admission.horizon_h, topic, self.store)
            self.store.put_local(TOPICS_KEY, msgspec.msgpack.encode(list(self._seen)))
        return found
