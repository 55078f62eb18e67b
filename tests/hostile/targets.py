"""What a fuzzer's bytes are given to, and what has to hold whatever they are. A target raises AssertionError where something does
not, and lets through every exception that nobody has stated."""

from collections import Counter
from dataclasses import replace
from typing import Final

from pipeline.codec import Codec, Encoder, Record, codec_named
from pipeline.events import Origin, Raw, Reason, Rejection
from pipeline.intake import avro_bodies, bodies
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents, TooMuch
from pipeline.intake.judging import MANY, Bad, Good, Judge, outs
from pipeline.intake.mapped import Mapped
from pipeline.intake.shape import shape_of
from pipeline.replay import ready
from processors.resolve import Admission, judge
from schemas.registry import FileRegistry, load
from tests.harness.codecs import Registered, narrower, newer, older, reworded
from tests.harness.touchpoints import KEYRING, LIMITS, NOW, SECRET
from tests.hostile.words import strange

MOST_EVENTS: Final = 100
EVENT_BYTES: Final = 512 << 10
# So many of one kind are read at once by the fast decoder; fewer go through the reference.
BATCH: Final = 64
CODECS: Final = (codec_named("fastavro"), codec_named("arrow"))
OURS: Final = FileRegistry().schema_id("touchpoint", "any-value")
BY_FIELDS: Final = (load("touchpoint", 1), narrower())
"""Writers whose records become ours as they are."""
OTHERS: Final = {
    OURS + n: made
    for n, made in enumerate((newer(), older(), reworded(), load("session"), {"type": "array"}, *BY_FIELDS), 1)
}
REGISTRY: Final = Registered({OURS: load("touchpoint"), **OTHERS})
SOURCE: Final = "load"
MAPPINGS: Final = tuple(Mapped(ready.ready(name), SECRET) for name in ready.names())
# A judge whose bound small inputs reach.
SMALL_BYTES: Final = 600
MARK: Final = b"\xef\xbb\xbf"
# So many of what was kept of an input are read again.
AGAIN: Final = 3


def admission(codec: Codec) -> Admission:
    """How records are judged that a codec has read."""
    return Admission(codec.decoder("touchpoint", REGISTRY), KEYRING, LIMITS, 24)


_ADMISSIONS: Final = [admission(codec) for codec in CODECS]
_ENCODER: Final = Encoder("touchpoint", FileRegistry(), "any-value")
_JUDGE: Final = Judge(SOURCE, shape_of("touchpoint"), _ADMISSIONS[0], EVENT_BYTES)
_JUDGES: Final = (_JUDGE, replace(_JUDGE, most_bytes=SMALL_BYTES))


class Counts(Counter[str]):
    """How often what came of an input."""


def avro(data: bytes, counts: Counts) -> None:
    """A record of a topic: both decoders say the same, and an accepted one is still the same record when it is written again."""
    found = _ADMISSIONS[0].decoder.decode(data)
    others = _ADMISSIONS[1].decoder.decode_all([data] * BATCH)
    assert all(other == found for other in others), f"the decoders differ: {found!r} and {others[0]!r}"
    judged = judge(Raw(Origin("", 0, 0, NOW), None, data), found, _ADMISSIONS[0])
    _reason(judged, counts)
    if not isinstance(found, Rejection):
        _again(found)


def json(data: bytes, counts: Counts) -> None:
    """A body as JSON and as lines: each of its events has a verdict, and what is accepted can be read from the topic."""
    for split in (bodies.json_events, bodies.lines):
        try:
            events = split(data, MOST_EVENTS)
        except TooManyEvents:
            counts["too_many"] += 1
            continue
        except BodyUnreadable as error:
            _reason(error.why, counts)
            continue
        _written([_JUDGE.json(event, NOW) for event in events], counts)


def container(data: bytes, counts: Counts) -> None:
    """A body as a container file."""
    if not avro_bodies.is_container(data):
        data = avro_bodies.CONTAINER + data
    judged: list[Good | Bad] = []
    try:
        for record in avro_bodies.records(data, _JUDGE.admission.decoder, MOST_EVENTS, EVENT_BYTES):
            one = _JUDGE.record(record, b"", NOW)
            if isinstance(one, Bad) and one.why is MANY:
                raise BodyUnreadable(one.why)
            _again(record)
            judged.append(one)
    except TooManyEvents:
        counts["too_many"] += 1
        return
    except BodyUnreadable as error:
        _reason(error.why, counts)
        return
    _written(judged, counts)


def mapped(data: bytes, counts: Counts) -> None:
    """A body of another system; its first byte says by which mapping it is read, and how large an event may be. What is kept of it
    gives the same reason again when it is sent alone."""
    form, judge = MAPPINGS[data[0] % len(MAPPINGS)] if data else MAPPINGS[0], _JUDGES[data[:1] > b"\x7f"]
    body = data[1:]
    try:
        judged = [one for one in form.events(body, judge, NOW, MOST_EVENTS) if one is not None]
    except TooManyEvents:
        counts["too_many"] += 1
        return
    except TooMuch:
        counts["too_much"] += 1
        return
    except BodyUnreadable as error:
        _reason(error.why, counts)
        return
    _written(judged, counts)
    for one in [one for one in judged if isinstance(one, Bad) and one.body != body][:AGAIN]:
        assert one.why.reason in _reasons(form, one.body, judge), f"{one.why!r} not again"


def _reasons(form: Mapped, body: bytes, judge: Judge) -> set[str]:
    """Why parts of a body are none; any reason where the body alone is read otherwise than among others: a byte order mark is one
    where it begins a body and only there, and a list that is no JSON is unreadable as a whole."""
    if MARK in body:
        return set(Reason)
    try:
        judged = list(form.events(body, judge, NOW, MOST_EVENTS))
    except BodyUnreadable:
        return set(Reason)
    return {one.why.reason for one in judged if isinstance(one, Bad)}


def _written(judged: list[Good | Bad], counts: Counts) -> None:
    good = [one for one in judged if isinstance(one, Good)]
    bad = [one for one in judged if isinstance(one, Bad)]
    for one in bad:
        _reason(one.why, counts)
    for taken in good:
        _reason(None, counts)
        _again(taken.record)
    written = outs("", _ENCODER, good, bad)
    assert [one.value for one in written[len(good) :]] == [one.body for one in bad]


def _reason(why: object, counts: Counts) -> None:
    if not isinstance(why, Rejection):
        counts["accepted"] += 1
        return
    counts[why.reason.value] += 1
    assert why.expected
    assert why.got
    assert not strange(why), f"{strange(why)} in {why!r}"


def _again(record: Record) -> None:
    read = _ADMISSIONS[0].decoder.decode(_ENCODER.encode(record))
    assert read == record, f"{record!r} became {read!r}"


TARGETS: Final = {"avro": avro, "json": json, "container": container, "mapped": mapped}
