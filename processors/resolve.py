"""The first stage: is this a touchpoint, is it new, and whose is it? Pure; every record is stored, rejected or a duplicate."""

from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import Any, Final

import fastavro
import msgspec

from pipeline.codec import HEAD_BYTES, Decoder, Encoder, plain
from pipeline.events import Out, Raw, Rejection, Resolved
from pipeline.keys import Keyring, person_of
from pipeline.topics import REJECTED, RESOLVED
from processors.dedupe import Seen
from processors.store import Store
from processors.validate import TimeLimits, validate
from schemas.registry import load

STAGE: Final = "resolve"
ADDED: Final = 7
TOPICS_KEY: Final = b"\0t"
NO_TOPICS: Final = msgspec.msgpack.encode([])


class Verdict(Enum):
    """What becomes of a record that is neither new nor wrong."""

    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Admission:
    """What it takes to judge a record: how to read it, how to name persons, which times are sane, how long ids are known."""

    decoder: Decoder
    keyring: Keyring
    limits: TimeLimits
    horizon_h: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid touchpoint, seen for the first time."""

    record: dict[str, Any]
    resolved: Resolved


def admit(raw: Raw, seen: Seen, admission: Admission) -> Admitted | Rejection | Verdict:
    """Judge one record. Only a valid touchpoint is remembered in `seen`. Raises RegistryUnavailable."""
    record = admission.decoder.decode(raw.value)
    if isinstance(record, Rejection):
        return record
    owner = validate(record, raw.origin.arrived_at, admission.limits)
    if isinstance(owner, Rejection):
        return owner
    if not seen.admit(record["event_id"], raw.origin.arrived_at):
        return Verdict.DUPLICATE
    cell = admission.keyring.cell(*owner)
    return Admitted(record, Resolved(person_of(cell), cell, 0, raw.origin))


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
    }


class ResolvedWriter:
    """Writes resolved touchpoints. Their schema begins with Touchpoint's fields, so a record of our version keeps its bytes."""

    def __init__(self, whole: Encoder, touchpoint_id: int) -> None:
        self._whole = whole
        self._touchpoint_head = b"\0" + touchpoint_id.to_bytes(4, "big")
        self._head = b"\0" + whole.schema_id.to_bytes(4, "big")
        schema = plain(load("resolved_touchpoint"))
        self._tail = fastavro.parse_schema({**schema, "name": "Added", "fields": schema["fields"][-ADDED:]})

    def write(self, raw: bytes, admitted: Admitted) -> bytes:
        """The resolved touchpoint on the wire."""
        more = added(admitted.resolved)
        if not raw.startswith(self._touchpoint_head):
            return self._whole.encode({**admitted.record, **more})
        out = BytesIO()
        fastavro.schemaless_writer(out, self._tail, more)
        return b"".join((self._head, raw[HEAD_BYTES:], out.getvalue()))


def rejected(raw: Raw, why: Rejection, stage: str = STAGE) -> Out:
    """The rejected record: its bytes untouched, the reason in headers that dead-letter tools for Kafka Connect read too."""
    origin, value = raw.origin, raw.value or b""
    schema_id = str(int.from_bytes(value[1:HEAD_BYTES], "big")) if len(value) >= HEAD_BYTES and value[0] == 0 else ""
    headers = {
        "__connect.errors.topic": origin.topic,
        "__connect.errors.partition": str(origin.partition),
        "__connect.errors.offset": str(origin.offset),
        "__connect.errors.stage": stage,
        "__connect.errors.exception.class.name": why.reason.value,
        "__connect.errors.exception.message": f"{why.field or 'record'}: expected {why.expected}, got {why.got}",
        "cx.reason": why.reason.value,
        "cx.field": why.field,
        "cx.expected": why.expected,
        "cx.got": why.got,
        "cx.schema_id": schema_id,
        "cx.attempt": "1",
    }
    return Out(REJECTED, raw.key, raw.value, tuple((name, text.encode()) for name, text in headers.items()))


class ResolveFold:
    """The stage's state and step for one partition of every source topic."""

    def __init__(self, admission: Admission, writer: ResolvedWriter, store: Store | None = None) -> None:
        self.store = Store() if store is None else store
        self._admission = admission
        self._writer = writer
        self._seen: dict[str, Seen] = {}
        self.counts = {"admitted": 0, "rejected": 0, "duplicate": 0}

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take back one record of the changelog."""
        topic, hour, index = key.decode().split("\0")
        self._of(topic).restore(int(hour), int(index), value)

    def restored(self) -> None:
        """The changelog has been read to its end."""
        for topic in msgspec.msgpack.decode(self.store.get(TOPICS_KEY) or NO_TOPICS, type=list[str]):
            self._of(topic)
        for seen in self._seen.values():
            seen.restored()

    def fold(self, batch: list[Raw]) -> list[Out]:
        """Judge every record of a batch, in order; one Out for each that is not a duplicate."""
        outs: list[Out] = []
        for raw in batch:
            verdict = admit(raw, self._of(raw.origin.topic), self._admission)
            if isinstance(verdict, Admitted):
                self.counts["admitted"] += 1
                outs.append(
                    Out(RESOLVED, verdict.resolved.person.encode(), self._writer.write(raw.value or b"", verdict))
                )
            elif isinstance(verdict, Rejection):
                self.counts["rejected"] += 1
                outs.append(rejected(raw, verdict))
            else:
                self.counts["duplicate"] += 1
        return outs

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""
        for seen in self._seen.values():
            seen.flush()
        return self.store.changes()

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def _of(self, topic: str) -> Seen:
        found = self._seen.get(topic)
        if found is None:
            found = self._seen[topic] = Seen(self._admission.horizon_h, topic, self.store)
            self.store.put_local(TOPICS_KEY, msgspec.msgpack.encode(list(self._seen)))
        return found
