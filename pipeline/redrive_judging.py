"""Which rejected records may be sent again, to where, and with which bytes. Pure but for the registry that the codec asks.

What may go back follows from what has become of a record by then.

- **intake**, **resolve**: it has become nothing. Judged by the rules of now it goes, as it is or mended, to a topic of
  touchpoints, and is a new record there. What came in another system's form is read by the mapping of now; a row may give
  several touchpoints, which go together.
- **journey**: it is stored as a touchpoint and has not been folded; its rejection and its offset were one transaction. Its
  own bytes go to its own partition of `touchpoints.resolved.v1` again. There the stage folds it for the first time, as a
  record with a new offset; the sink replaces the touchpoint's row by an equal one. Not to the source topic, where its
  event id is known, so it would be dropped as a duplicate; and not mended, or it would differ from its source record.
- **sink**, of something derived: the record is on its topic, its row is not in the table. Its bytes go to its own
  partition again, unless a newer version of the same thing lies there, so versions never go back.
- **sink**, of a touchpoint: `journey` has counted it. On any topic it would be counted again or be dropped as a
  duplicate, so it stays.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.codec import Decoder, Encoder, Record
from pipeline.events import Origin, Raw, Reason, Rejection
from pipeline.intake.avro_bodies import is_container
from pipeline.intake.judging import STAGE as INTAKE
from pipeline.intake.judging import Bad, Good
from pipeline.intake.judging import Judge as IntakeJudge
from pipeline.intake.mapped import Mapped
from pipeline.intake.reading import loaded
from pipeline.intake.shape import Shape
from pipeline.patch import Patch, mended, merged
from pipeline.redrive_mapping import NONE, Mappings
from pipeline.redrives import Along, Rejected, Sendable, Unsendable
from pipeline.topics import BY_NAME, OUTPUTS, REJECTED, RESOLVED, SOURCES
from processors.journey import STAGE as JOURNEY
from processors.resolve import STAGE as RESOLVE
from processors.resolve import Admission, Admitted, judge

SINK: Final = "sink"
_MISFIT: Final = Rejection(Reason.DECODE, "", "a touchpoint", "one with values that its fields do not take")
_NAMES: Final = {
    "session": ("person", "session_id"),
    "journey": ("person", "journey_id"),
    "score": ("person", "metric", "scale", "direction"),
    "customer_view": ("person",),
}
"""What tells one thing from another among derived records of a kind."""
OVERTAKEN: Final = "overtaken: a newer version of it has been written since, so it is not sent"
_AS_IT_IS: Final = "only what intake or resolve rejected can be mended: this goes back as it is or not at all"
_WHOLE: Final = "it is a whole body or a list and not one event: send it to the intake again"
_COUNTED: Final = "its person's numbers have counted it, and would count it twice: only its row is missing"
_ELSEWHERE: Final = "the row that says why it was rejected was refused, and has no bytes: its own topic keeps them"


@dataclass(frozen=True, slots=True)
class Mending:
    """What is changed of a record on its way: a patch, or other bytes (one JSON event) in its place."""

    patch: Patch | None = None
    replacement: bytes | None = None

    def __bool__(self) -> bool:
        return self.patch is not None or self.replacement is not None


NOTHING: Final = Mending()


@dataclass(frozen=True, slots=True)
class Judge:
    """How records are read, judged and written: as intake and stages do it now, and with the installation's newest schema.

    `decoders` by kind of record; `most_bytes` is the largest event that the intake takes; `mappings` read what came in another
    system's form.
    """

    prefix: str
    admission: Admission
    decoders: Mapping[str, Decoder]
    encoder: Encoder
    shape: Shape
    most_bytes: int
    mappings: Mappings = NONE

    def of(self, one: Rejected, mending: Mending, now: int) -> Sendable | Unsendable:
        """Whether a record, as it is or mended, would now be taken; `now` is milliseconds since epoch, UTC.

        Raises RegistryUnavailable.
        """
        routes: dict[str, Callable[[Rejected, Mending, int], Sendable | str]] = {
            INTAKE: self._of_intake,
            RESOLVE: self._of_resolve,
            JOURNEY: self._of_journey,
            SINK: self._of_sink,
        }
        if one.place.partition < 0 or one.place.offset < 0:
            return Unsendable(one.place, "its headers do not say where it lay")
        route = routes.get(one.stage)
        if route is None:
            return Unsendable(
                one.place, f"it was rejected by {one.stage or 'somebody else'}, which is no stage of touchstream"
            )
        found = route(one, mending, now)
        return Unsendable(one.place, found) if isinstance(found, str) else found

    def _of_intake(self, one: Rejected, mending: Mending, now: int) -> Sendable | str:
        body, mapped = one.payload, self.mappings.of(one.source)
        if mending.replacement is not None:
            body, mapped = mending.replacement, ""
        elif one.reason == Reason.MISFIT:
            return mapped if isinstance(mapped, str) else self._of_row(one, mapped, mending, now)
        whole = is_container(body) or body.lstrip(b" \t\r\n").startswith(b"[")
        found = _WHOLE if whole else self._event(body, one, mending.patch, now)
        if isinstance(found, Good):
            return self._sendable(one, self.prefix + found.topic, found, bool(mending))
        if isinstance(mapped, Mapped):
            return self._of_row(one, mapped, mending, now)
        return _words(found) if isinstance(found, Rejection) else found

    def _of_row(self, one: Rejected, mapped: Mapped, mending: Mending, now: int) -> Sendable | str:
        """What a row gives by the mapping of now. Of one that was none, or did not fit, nothing was taken, so it gives all; of one
        that did fit, all but the touchpoint that was rejected may be stored."""
        made = mapped.made(one.payload, self.most_bytes)
        if isinstance(made, Rejection):
            return _words(made)
        if one.event_type:
            made = [
                record for record in made if (record["event_type"], record["channel"]) == (one.event_type, one.channel)
            ]
            if len(made) != 1:
                return f"its row gives {len(made)} touchpoints of its type and channel by the mapping of now, not one"
        if not made:
            return f"the mapping {mapped.mapping.name} makes no touchpoint of it"
        found = [self._of_made(record, one, mending, now) for record in made]
        good = [sendable for sendable in found if isinstance(sendable, Sendable)]
        if len(good) < len(found):
            return next(why for why in found if isinstance(why, str))
        others = tuple(Along(other.topic, other.key, other.value) for other in good[1:])
        return replace(good[0], along=others)

    def _of_made(self, record: Record, one: Rejected, mending: Mending, now: int) -> Sendable | str:
        whole = {**record, "source": one.source}
        checked, _ = self._written(mended(whole, mending.patch) if mending.patch is not None else whole)
        if isinstance(checked, Rejection):
            return _words(checked)
        found = _taken(self._taker(one.source).record(checked, b"", now), one, now)
        if isinstance(found, Rejection):
            return _words(found)
        return self._sendable(one, self.prefix + found.topic, found, bool(mending))

    def _of_resolve(self, one: Rejected, mending: Mending, now: int) -> Sendable | str:
        topic = one.place.topic
        if topic not in {self.prefix + name for name in SOURCES}:
            return f"what {RESOLVE} rejects lies on a topic of touchpoints, and not there"
        if mending.replacement is not None:
            event = self._event(mending.replacement, one, None, now)
            return _words(event) if isinstance(event, Rejection) else self._sendable(one, topic, event, mended=True)
        record, value = self.decoders["touchpoint"].decode(one.payload), one.payload
        if mending.patch is not None and not isinstance(record, Rejection):
            record, value = self._written(mended(record, mending.patch))
        origin = Origin(topic, one.place.partition, one.place.offset, now)
        judged = judge(Raw(origin, one.key, value), record, self.admission)
        if isinstance(judged, Admitted):
            return Sendable(one.place, topic, judged.resolved.cell.encode(), value, bool(mending))
        return _words(judged)

    def _of_journey(self, one: Rejected, mending: Mending, now: int) -> Sendable | str:
        if mending:
            return _AS_IT_IS
        if one.place.topic != self.prefix + RESOLVED:
            return f"what {JOURNEY} rejects lies on {RESOLVED}, and not there"
        record = self.decoders["resolved_touchpoint"].decode(one.payload)
        if isinstance(record, Rejection):
            return _words(record)
        return self._again(one, record)

    def _of_sink(self, one: Rejected, mending: Mending, now: int) -> Sendable | str:
        name = one.place.topic.removeprefix(self.prefix)
        kind = next((kind for kind, topic in OUTPUTS.items() if topic == name), None)
        if kind is None:
            return _COUNTED if one.payload and name in BY_NAME and name != REJECTED else _ELSEWHERE
        if mending:
            return _AS_IT_IS
        record = self.decoders[kind].decode(one.payload)
        if isinstance(record, Rejection):
            return _words(record)
        return self._again(one, record, kind)

    def _again(self, one: Rejected, record: Record, kind: str = "") -> Sendable:
        """The very bytes to the very partition: what is told of a person stays in its order."""
        place, key = one.place, one.key or record["person"].encode()
        newer = self._newer(key, kind, record) if kind else None
        return Sendable(place, place.topic, key, one.payload, False, place.partition, newer)

    def _newer(self, key: bytes, kind: str, record: Record) -> Callable[[Raw], bool]:
        def newer(raw: Raw) -> bool:
            if raw.key != key:
                return False
            if raw.value is None:  # whatever was told of the person is withdrawn
                return True
            other = self.decoders[kind].decode(raw.value)
            return not isinstance(other, Rejection) and name(other) == mine and other["version"] > record["version"]

        def name(of: Record) -> tuple[Any, ...]:
            return tuple(of[field] for field in _NAMES[kind])

        mine = name(record)
        return newer

    def _event(self, body: bytes, one: Rejected, patch: Patch | None, now: int) -> Good | Rejection:
        """One event as the intake takes it, from the source that it came from, and received when that was."""
        source = one.source
        if body.startswith(b"\0"):
            record = self.decoders["touchpoint"].decode(body)
            if patch is not None and not isinstance(record, Rejection):
                record, body = self._written(mended(record, patch))
            return record if isinstance(record, Rejection) else _taken(self._taker(source).avro(body, now), one, now)
        value = loaded(body)
        if isinstance(value, dict):
            source = source or str(value.get("source", ""))
            body = json.dumps(merged(value, patch)).encode() if patch is not None else body
        return _taken(self._taker(source).json(body, now), one, now)

    def _taker(self, source: str) -> IntakeJudge:
        return IntakeJudge(source, self.shape, self.admission, self.most_bytes)

    def _sendable(self, one: Rejected, topic: str, event: Good, mended: bool) -> Sendable | str:
        written, value = self._written(event.record)
        if isinstance(written, Rejection):
            return _words(written)
        return Sendable(one.place, topic, event.key, value, mended)

    def _written(self, record: Any) -> tuple[Record | Rejection, bytes]:
        try:
            value = self.encoder.encode(record)
        except (ValueError, TypeError, AttributeError, OverflowError, LookupError):
            return _MISFIT, b""
        again = self.decoders["touchpoint"].decode(value)
        return (again, value) if again == record else (_MISFIT, b"")


def _taken(found: Good | Bad, one: Rejected, now: int) -> Good | Rejection:
    if isinstance(found, Bad):
        return found.why
    # The time of now would tell that the device's clock is behind by as long as the record has lain here.
    found.record["received_at"] = min(one.rejected_at, now)
    return found


def _words(why: Rejection) -> str:
    where = f" at {why.field}" if why.field else ""
    return f"{why.reason.value}{where}: expected {why.expected}, got {why.got}"
