"""Records for a topic that are no touchpoints, each with the reason that both decoders must have."""

from collections.abc import Iterator
from typing import Final

from pipeline.codec import HEAD_BYTES, head
from pipeline.events import Reason as R
from tests.hostile.avro_files import around_attributes, number, parts
from tests.hostile.entries import PERSON, record

Wrong = tuple[str, bytes | None, R]
_LENGTHS: Final = (1 << 31, 1 << 40, (1 << 62) - 1, (1 << 63) - 1, -1, -(1 << 31), -(1 << 62), -(1 << 63))


def records(now: int) -> list[Wrong]:
    """Name, bytes and reason. `now` is milliseconds since epoch, UTC."""
    good = record("hostile", now)
    return [*_cut(good), *_heads(good), *_lengths(good), *_numbers(good), *_texts(good), *_meaning(now), *_blocks(good)]


def _cut(good: bytes) -> Iterator[Wrong]:
    yield "a tombstone", None, R.EMPTY
    for end in range(len(good)):
        code = R.EMPTY if not end else R.MAGIC if end < HEAD_BYTES else R.DECODE
        yield f"cut off after {end} bytes", good[:end], code
    yield "a byte more", good + b"\0", R.TRAILING_BYTES
    yield "the same again", good + good, R.TRAILING_BYTES
    yield "1 MB more", good + b"\0" * (1 << 20), R.TRAILING_BYTES


def _heads(good: bytes) -> Iterator[Wrong]:
    content = good[HEAD_BYTES:]
    for first in (1, 2, 0x4F, 0x7B, 0x80, 0xC3, 0xFF):
        yield f"beginning with {first:02x}", bytes([first]) + good[1:], R.MAGIC
    for name, value in {"JSON": b'{"event_id": "1"}', "Avro's own single object": b"\xc3\x01" + bytes(8)}.items():
        yield name, value, R.MAGIC
    yield "a container", b"Obj\x01" + content, R.MAGIC
    for unknown in (0, 99, 1 << 31, (1 << 32) - 1):
        yield f"the schema {unknown}", head(unknown) + content, R.SCHEMA_UNKNOWN
    for other in (2, 3, 5):
        yield f"the schema {other} of another record", head(other) + content, R.SCHEMA_UNSUITABLE


def _lengths(good: bytes) -> Iterator[Wrong]:
    content = good[HEAD_BYTES:]
    before, behind = parts(good)
    front, _ = around_attributes(good)
    for claimed in _LENGTHS:
        yield f"a text of {claimed} bytes", good[:HEAD_BYTES] + number(claimed) + content, R.DECODE
        yield f"{claimed} identifiers", good[:HEAD_BYTES] + before + number(claimed) + b"\0" * 5000, R.DECODE
        yield f"{claimed} attributes", front + number(claimed) + b"\0" * 5000, R.DECODE
        yield (
            f"an identifier of {claimed} bytes",
            good[:HEAD_BYTES] + before + number(1) + number(claimed) + behind,
            R.DECODE,
        )
        sized = good[:HEAD_BYTES] + before + number(-1) + number(claimed) + b"\x10customer\2c\0" + behind
        yield f"a block of identifiers that says {claimed} bytes", sized, R.DECODE


def _numbers(good: bytes) -> Iterator[Wrong]:
    content = good[HEAD_BYTES:]
    front, rear = around_attributes(good)
    for name, number_ in {
        "that goes on": b"\xff" * 100_000,
        "of eleven bytes": b"\x80" * 10 + b"\1",
        "of 65 bits": b"\xff" * 9 + b"\2",
        "with a needless byte": b"\x80\0",
        "with needless bytes": b"\x8e\x80\x80\0",
    }.items():
        yield f"a number {name}", good[:HEAD_BYTES] + number_ + content, R.DECODE
        yield f"an attribute's number {name}", front + number_, R.DECODE
    at = good.index(b"page.viewed") + len(b"page.viewed")
    for index in (11, 64, 1 << 40, -1, -(1 << 63)):
        yield f"the channel {index}", good[:at] + number(index) + good[at + 1 :], R.DECODE
    for branch in (2, 3, -1, 1 << 40):
        yield f"the branch {branch} of a union", front[:-1] + number(branch) + b"\0" + rear, R.DECODE


def _texts(good: bytes) -> Iterator[Wrong]:
    front, rear = around_attributes(good)
    for name, spoilt in {
        "a byte that begins nothing": b"\xff",
        "an overlong NUL": b"\xc0\x80",
        "half a surrogate": b"\xed\xa0\x80",
        "a character beyond Unicode": b"\xf4\x90\x80\x80",
        "a continuation alone": b"\x80",
    }.items():
        length = len(PERSON)
        filled = spoilt + b"x" * (length - len(spoilt))
        yield f"{name} in a text", good.replace(PERSON.encode(), filled), R.DECODE
        yield f"{name} in an attribute", front + number(1) + number(len(spoilt)) + spoilt + b"\0\0" + rear, R.DECODE
        yield f"{name} at a text's end", good.replace(PERSON.encode(), filled[::-1]), R.DECODE


def _meaning(now: int) -> Iterator[Wrong]:
    yield "no event id", record("", now), R.EVENT_ID_MISSING
    yield "no source", record("s", now, source=""), R.SOURCE_MISSING
    yield "no event type", record("e", now, event_type=""), R.EVENT_TYPE_MALFORMED
    yield "an event type of a megabyte", record("e", now, event_type="a" * (1 << 20)), R.EVENT_TYPE_MALFORMED
    yield "no identifiers", record("i", now, identifiers=[]), R.IDENTIFIER_MISSING
    nobody = [{"namespace": "", "value": ""}]
    yield "an identifier of nothing", record("i", now, identifiers=nobody), R.IDENTIFIER_MALFORMED
    yield "50,000 identifiers of nothing", record("i", now, identifiers=nobody * 50_000), R.IDENTIFIER_MALFORMED
    yield "the first of all times", record("t", -(1 << 63)), R.TIME_TOO_EARLY
    yield "the last of all times", record("t", (1 << 63) - 1), R.TIME_IN_FUTURE
    yield "sent at the first of all times", record("t", now, sent_at=-(1 << 63)), R.TIMES_CONTRADICT
    yield "less than no time", record("d", now, duration_ms=-(1 << 63)), R.DURATION_NEGATIVE
    money = {"currency": "EUR", "minor_units": -(1 << 63)}
    yield "all the money", record("m", now, amount=money), R.AMOUNT_MALFORMED
    yield "no currency", record("m", now, amount={**money, "currency": PERSON}), R.AMOUNT_MALFORMED
    asked = {
        "question": "q",
        "metric": "nps",
        "scale_min": 0,
        "scale_max": 10,
        "direction": "high_is_good",
        "value": 11,
    }
    yield "an answer above its scale", record("a", now, answer={**asked, "aspect": None}), R.VALUE_OUT_OF_SCALE
    widest = {**asked, "metric": "own", "scale_min": -(1 << 31), "scale_max": (1 << 31) - 1, "aspect": None}
    yield "the widest scale", record("a", now, answer=widest), R.SCALE_INVALID
    yield "no answer", record("a", now, event_type="survey.answered"), R.ANSWER_MISSING


def _blocks(good: bytes) -> Iterator[Wrong]:
    before, behind = parts(good)
    one = b"\x10customer\2c"
    yield "identifiers without an end", good[:HEAD_BYTES] + before + number(1) + one, R.DECODE
    yield (
        "a block that is shorter than it says",
        good[:HEAD_BYTES] + before + number(-1) + number(99) + one + b"\0" + behind,
        R.DECODE,
    )
    yield (
        "a block that is longer than it says",
        good[:HEAD_BYTES] + before + number(-1) + number(3) + one + b"\0" + behind,
        R.DECODE,
    )
    yield "1,000,000 blocks of nothing", good[:HEAD_BYTES] + before + (number(-1) + number(0)) * 500_000, R.DECODE
