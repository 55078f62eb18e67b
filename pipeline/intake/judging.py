"""From one event of a request to what is written to Kafka, by the very rules of the stage that reads it there. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline import topics
from pipeline.codec import Encoder, Record
from pipeline.events import Origin, Out, Raw, Reason, Rejection
from pipeline.intake.reading import read
from pipeline.intake.shape import MOST_ITEMS, Shape
from processors.rejects import refused
from processors.resolve import Admission, judge

STAGE = "intake"
# What is said of a rejected event besides its reason. The rest of it may be large, and is in its bytes.
TOLD = ("event_id", "event_type", "channel")
MANY = Rejection(Reason.FIELD_MALFORMED, "identifiers", f"array of length <= {MOST_ITEMS}", "another value")


@dataclass(frozen=True, slots=True)
class Good:
    """A touchpoint that can go to `topic`, without prefix, under `key`."""

    record: Record
    topic: str
    key: bytes

    @property
    def event_id(self) -> str:
        """Its own name."""
        return str(self.record["event_id"])


@dataclass(frozen=True, slots=True)
class Bad:
    """What is no touchpoint: its bytes, why, and the event id, source and the like as far as they are known."""

    body: bytes
    why: Rejection
    record: Record


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges events of one source. `most_bytes` is the largest event."""

    source: str
    shape: Shape
    admission: Admission
    most_bytes: int

    def json(self, body: bytes, now: int) -> Good | Bad:
        """One JSON event that came at `now`, milliseconds since epoch, UTC."""
        if len(body) > self.most_bytes:
            return self.bad(body, too_large(len(body), self.most_bytes))
        record = read(body, self.shape)
        return self.bad(body, record) if isinstance(record, Rejection) else self.record(record, body, now)

    def avro(self, value: bytes, now: int) -> Good | Bad:
        """One Avro record in the wire format. Raises RegistryUnavailable."""
        if len(value) > self.most_bytes:
            return self.bad(value, too_large(len(value), self.most_bytes))
        record = self.admission.decoder.decode(value)
        return self.bad(value, record) if isinstance(record, Rejection) else self.record(record, value, now)

    def record(self, record: Record, body: bytes, now: int) -> Good | Bad:
        """One record, in whatever form it came; stamped with its source and the time at which it came."""
        if record["source"] and record["source"] != self.source:
            return self.bad(body, Rejection(Reason.SOURCE_FOREIGN, "source", self.source, "another one"), record)
        if len(record["identifiers"]) > MOST_ITEMS:
            return self.bad(body, MANY, record)
        record["source"], record["received_at"] = self.source, now
        found = judge(Raw(Origin("", 0, 0, now), None, body), record, self.admission)
        if isinstance(found, Rejection):
            return self.bad(body, found, record)
        return Good(record, topics.source_topic(record["channel"]), found.resolved.cell.encode())

    def bad(self, body: bytes, why: Rejection, record: Record | None = None) -> Bad:
        """What cannot be taken."""
        told = {name: record[name] for name in TOLD} if record else {}
        return Bad(body, why, {**told, "source": self.source})


def too_large(size: int, most: int) -> Rejection:
    """Why an event of so many bytes is none where it may have `most`."""
    return Rejection(Reason.TOO_LARGE, "", f"{most} bytes at most", f"{size} bytes")


def outs(prefix: str, encoder: Encoder, good: Sequence[Good], bad: Iterable[Bad]) -> list[Out]:
    """The records for Kafka, topics with their prefix; touchpoints first, in their order."""
    values = encoder.encode_all([one.record for one in good])
    taken = [Out(prefix + one.topic, one.key, value) for one, value in zip(good, values, strict=True)]
    kept = [refused(one.body, one.why, STAGE, one.record) for one in bad]
    return [*taken, *(Out(prefix + one.topic, one.key, one.value, one.headers) for one in kept)]
