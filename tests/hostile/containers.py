"""Container files that nobody should send."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pipeline.codec import HEAD_BYTES
from pipeline.events import Reason as R
from schemas.registry import load
from tests.hostile.avro_files import (
    MAGIC,
    MARK,
    around_attributes,
    block,
    body_of,
    deflated,
    header,
    number,
    parts,
    sized,
    with_fields,
)
from tests.hostile.entries import ACCEPTED, AVRO, PERSON, Entry, Make, record, verdict

MEBIBYTE: Final = 1 << 20
TOO_MANY: Final = "too_many"


def entries(now: int, mark: str) -> list[Entry]:
    """All of them. `now` is milliseconds since epoch, UTC; event ids begin with `mark`."""
    good = body_of(record(f"{mark}-of-a-file", now))
    return [
        *_broken(good),
        *_schemas(good),
        *(Entry(name, AVRO, make, 413, (TOO_MANY,)) for name, make in _too_many(good).items()),
        *_bombs(record("bomb", now)),
        *_mixed(now, mark),
    ]


def _unreadable(name: str, body: bytes | Make, code: str = R.DECODE) -> Entry:
    return Entry(name, AVRO, body if callable(body) else lambda: body, 400, (code,))


def _broken(good: bytes) -> Iterator[Entry]:
    whole = header() + block(good)
    begins = len(header())
    for end in range(4, len(whole)):
        # The schema is long, and what is cut off within it is all alike; a file may end behind its header, and then it is empty.
        if end != begins and (end < 40 or end > begins - 40 or end % 500 == 0):
            yield _unreadable(f"a file cut off after {end} bytes", whole[:end])
    for name, body in {
        "a file with another mark": header() + block(good, mark=MARK[::-1]),
        "a file with half a mark": header() + block(good, mark=MARK[:8]),
        "a file with another codec": header(codec=b"snappy") + block(good),
        "a file with a codec of nothing": header(codec=b"") + block(good),
        "a file with the codec deflate, not deflated": header(codec=b"deflate") + block(good),
        "a file with zlib for deflate": header(codec=b"deflate") + block(b"\x78\x9c" + deflated(good)),
        "a file deflated in half": header(codec=b"deflate") + block(deflated(good)[:-3]),
        "a block of no records": header() + block(b"", 0),
        "a block of fewer than no records": header() + block(good, -1),
        "a block of more records than it has": header() + block(good, 2),
        "a block of fewer records than it has": header() + block(good * 2, 1),
        "a block of less than no bytes": header() + number(1) + number(-1) + good + MARK,
        "a block of 2**62 bytes": header() + number(1) + number(1 << 62) + good + MARK,
        "a block whose size goes on": header() + number(1) + b"\xff" * 1000,
        "a header whose count goes on": MAGIC + b"\xff" * 100_000,
        "a header of 2**62 pairs": MAGIC + number(1 << 62) + b"\0" * 100_000,
        "a header of -2**63 pairs": MAGIC + number(-(1 << 63)) + number(1) + b"\0" * 1000,
        "a header with a name of 2**62 bytes": MAGIC + number(1) + number(1 << 62) + b"avro.schema",
        "a header with a value of -1 bytes": MAGIC + number(1) + sized(b"avro.schema") + number(-1),
        "a header of nothing": MAGIC + b"\0" + MARK + block(good),
        "a header whose names are no UTF-8": MAGIC + number(1) + sized(b"\xff\xfe") + sized(b"{}") + b"\0" + MARK,
        "a file of NULs": MAGIC + b"\0" * 1000,
        "something behind the file": whole + b"x",
        "another file behind it": whole + whole,
    }.items():
        yield _unreadable(name, body)


def _field(name: Any, of: Any) -> dict[str, Any]:
    return {"name": name, "type": of}


def _schemas(good: bytes) -> Iterator[Entry]:
    ours = load("touchpoint")
    itself = {"type": "record", "name": "Touchpoint", "fields": [_field("t", ["null", "Touchpoint"])]}
    doubling: Any = "boolean"
    for depth in range(20):
        doubling = {"type": "record", "name": f"D{depth}", "fields": [_field("a", doubling), _field("b", doubling)]}
        if depth > 3:
            doubling["fields"][1]["type"] = f"D{depth - 1}"
    nested: Any = "null"
    for _ in range(60):
        nested = {"type": "array", "items": nested}
    for name, schema in {
        "no object": [],
        "a text": "touchpoint",
        "a number": 5,
        "nothing": {"type": "record"},
        "another record": load("session"),
        "a record with a person's name": {"type": "record", "name": PERSON, "fields": []},
        "a record with half a character for a name": {"type": "record", "name": "\ud800", "fields": []},
        "a record with a list for a name": {"type": "record", "name": ["Touchpoint"], "fields": []},
        "a record that holds itself": itself,
        "a record without fields": {"type": "record", "name": "Touchpoint", "fields": []},
        "fields that are none": {"type": "record", "name": "Touchpoint", "fields": [1, None]},
        "fields that are an object": {"type": "record", "name": "Touchpoint", "fields": {"a": 1}},
        "a type that is unknown": with_fields(_field("q", "quark")),
        "a type that is nothing": with_fields(_field("q", None)),
        "an empty union": with_fields(_field("q", [])),
        "an empty enum": with_fields(_field("q", {"type": "enum", "name": "E", "symbols": []})),
        "a fixed of less than no bytes": with_fields(_field("q", {"type": "fixed", "name": "F", "size": -1})),
        "a fixed of a text": with_fields(_field("q", {"type": "fixed", "name": "F", "size": "1"})),
        "an array of nothing": with_fields(_field("q", {"type": "array", "items": "null"})),
        "a field without a name": with_fields({"type": "null"}),
        "a field named without end": with_fields(_field(float("inf"), "null")),
        "a field named by an object": with_fields(_field({"a": 1}, "null")),
        "a field named by a list": with_fields(_field([1], "null")),
        "a field named by a number": with_fields(_field(1, "null")),
        "the word that it is parsed": {
            **with_fields(_field(float("nan"), "null")),
            "__fastavro_parsed": True,
            "__named_schemas": {},
        },
        "types that double over and over": with_fields(_field("q", doubling)),
        "60 arrays in arrays": with_fields(_field("q", nested)),
        "values without bytes": with_fields(*(_field(f"n{n}", "null") for n in range(2000))),
        "an array of records with values without bytes": with_fields(
            _field(
                "q",
                {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "W",
                        "fields": [_field("b", "boolean"), *(_field(f"n{n}", "null") for n in range(2000))],
                    },
                },
            )
        ),
    }.items():
        yield _unreadable(f"the schema is {name}", header(schema) + block(good), R.SCHEMA_UNSUITABLE)
    other = {"type": "record", "name": "Touchpoint", "fields": [_field("q", "boolean")]}
    yield _unreadable("the schema has no field of ours", header(other) + block(b"\0"), R.SCHEMA_UNSUITABLE)
    for name, text in {
        "no JSON": b"{",
        "nothing at all": b"",
        "no UTF-8": b'{"type": "\xff"}',
        "nested without end": b'{"a":' * 20_000,
        "nested without end, and ended": b"[" * 20_000 + b"]" * 20_000,
        "a number of 5,000 digits": b"1" * 5000,
        "too long for a header": json.dumps({**ours, "x": "x" * 200_000}).encode(),
    }.items():
        yield _unreadable(f"the schema's text is {name}", header(text) + block(good))


def _too_many(good: bytes) -> dict[str, Make]:
    return {
        "a block of 2**62 records": lambda: header() + block(good, 1 << 62),
        "a block of 10,001 records": lambda: header() + block(good * 10_001, 10_001),
        "blocks of 10,001 records": lambda: header() + block(good) * 10_001,
        "two blocks, the second of 2**62 records": lambda: header() + block(good) + block(good, 1 << 62),
    }


def _bombs(value: bytes) -> Iterator[Entry]:
    good = body_of(value)
    before, behind = parts(value)
    front, rear = around_attributes(good)

    def listed(count: int) -> bytes:
        return before + number(count) + b"\0\0" * count + b"\0" + behind

    def attributes(size: int) -> bytes:
        """A record of exactly so many bytes."""
        space = size - len(front) - 4 - len(rear)
        text = next(n for n in range(space, space - 12, -1) if n + len(number(n)) == space + 0)
        return front + number(1) + sized(b"x") + number(text) + b"x" * text + b"\0" + rear

    def full_and_more() -> bytes:
        one = attributes(512 << 10)
        return header(codec=b"deflate") + block(deflated(one * 16), 16) + block(deflated(b"\0" * (200 * MEBIBYTE)))

    pack = header(codec=b"deflate")
    yield _unreadable("a deflate bomb of 200 MB", lambda: pack + block(deflated(b"\0" * (200 * MEBIBYTE))))
    yield _unreadable("a deflate bomb behind exactly as much as may be", full_and_more)
    yield _unreadable("3 million identifiers", lambda: header() + block(listed(3_000_000)), R.TOO_LARGE)
    yield _unreadable("3 million identifiers, deflated", lambda: pack + block(deflated(listed(3_000_000))), R.TOO_LARGE)
    yield _unreadable("a record of 1 MB", lambda: header() + block(attributes(MEBIBYTE)), R.TOO_LARGE)
    yield _unreadable("100,000 identifiers", lambda: header() + block(listed(100_000)), R.FIELD_MALFORMED)
    many = b"".join(sized(b"%x" % n) + b"\0" for n in range(60_000))
    yield Entry(
        "60,000 attributes in each of 8 records",
        AVRO,
        lambda: pack + block(deflated((front + number(60_000) + many + b"\0" + rear) * 8), 8),
        202,
        (ACCEPTED, *(("duplicate",) * 7)),
    )
    yield _unreadable(
        "200,000 identifiers in each of 16 records",
        lambda: pack + block(deflated(listed(200_000) * 16), 16),
        R.FIELD_MALFORMED,
    )
    yield Entry(
        "a record of 100,000 identifiers", AVRO, lambda: value[:HEAD_BYTES] + listed(100_000), 422, (R.FIELD_MALFORMED,)
    )
    for claimed in (1 << 31, (1 << 63) - 1, -(1 << 63), -(1 << 31)):
        lie = before + number(claimed) + b"\0" * 200_000
        yield _unreadable(f"{claimed} identifiers claimed in a file", header() + block(lie))
        yield _unreadable(f"a text of {claimed} bytes in a file", header() + block(number(claimed) + good))
    # One pair of empty texts is two bytes.
    pairs = MAGIC + number(4_000_000) + b"\0\0" * 4_000_000 + b"\0" + MARK
    yield _unreadable("a header of 4 million pairs", pairs)


def _mixed(now: int, mark: str) -> Iterator[Entry]:
    def file(records: list[bytes]) -> bytes:
        return header() + block(b"".join(map(body_of, records)), len(records))

    bad = {
        R.EVENT_ID_MISSING: record("", now),
        R.SOURCE_FOREIGN: record("f", now, source="other"),
        R.TIME_TOO_EARLY: record("t", 0),
        R.IDENTIFIER_MISSING: record("i", now, identifiers=[]),
        R.EVENT_TYPE_MALFORMED: record("e", now, event_type="\ud7ff"),
        R.DURATION_NEGATIVE: record("d", now, duration_ms=-1),
    }
    for code, one in bad.items():
        neighbours = [record(f"{mark}-{code}-{n}", now) for n in range(2)]
        codes = (ACCEPTED, code.value, ACCEPTED)
        body = file([neighbours[0], one, neighbours[1]])
        yield Entry(f"a file with one record: {code}", AVRO, lambda body=body: body, verdict(codes), codes)  # type: ignore[misc]
        yield Entry(f"a record: {code}", AVRO, lambda one=one: one, 422, (code.value,))  # type: ignore[misc]
    yield Entry("an empty file", AVRO, header, 202, ())
    for n, name in enumerate(("q\t", 'q"', "q\\", 'text","type":"int"},{"name":"q')):
        one = body_of(record(f"{mark}-named-{n}", now)) + b"\0"
        whole = header(with_fields(_field(name, ["null", "string"]))) + block(one)
        yield Entry(f"a file with a field named {name!r}", AVRO, lambda body=whole: body, 202, (ACCEPTED,))  # type: ignore[misc]
