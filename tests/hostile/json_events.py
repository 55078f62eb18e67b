"""JSON events that are no touchpoints: broken text, odd numbers, doubled keys, wrong types for every field, wrong meaning."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.events import Reason as R
from schemas.registry import load
from tests.hostile.entries import PERSON, Event, event, said

ANSWER: Final = {"question": "q", "metric": "nps", "scale_min": 0, "scale_max": 10, "value": 9}
_SMALL: Final = "page.viewed"
DEEP: Final = 100_000
LONG: Final = 600_000
PATH: Final = f"x` - at `$.{PERSON}"
"""Looks like the end of an error text, with a place in it."""


def events(now: int) -> list[Event]:
    """All of them. `now` is milliseconds since epoch, UTC."""
    good = said(event("hostile", now))
    return [*_text(good), *_keys(good), *_numbers(now), *_types(now), *_fields(now), *_meaning(now), *_nesting(good)]


def truncated(now: int) -> list[bytes]:
    """A good event, cut off behind each of its bytes."""
    whole = said(event("truncated", now))
    return [whole[:end] for end in range(1, len(whole))]


def _text(good: bytes) -> Iterator[Event]:
    for name, spoilt in {
        "a byte that begins nothing": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "an overlong NUL": b"\xc0\x80",
        "an overlong euro": b"\xf0\x82\x82\xac",
        "half a surrogate as bytes": b"\xed\xa0\x80",
        "a character beyond Unicode": b"\xf4\x90\x80\x80",
        "a sequence that breaks off": b"\xe2\x82",
        "a continuation alone": b"\x80",
    }.items():
        yield Event(name, good.replace(PERSON.encode(), spoilt), R.TEXT_MALFORMED)
        yield Event(f"{name}, in a key", good.replace(b'"channel"', b'"' + spoilt + b'"'), R.TEXT_MALFORMED)
    for name, spoilt in {
        "a high surrogate": b"\\ud800",
        "a low surrogate": b"\\udc00",
        "surrogates the wrong way round": b"\\udc00\\ud800",
        "a high surrogate before a letter": b"\\ud83dx",
    }.items():
        yield Event(name, good.replace(PERSON.encode(), spoilt), R.TEXT_MALFORMED)
        yield Event(f"{name}, as a name", good[:-1] + b', "' + spoilt + b'": 1}', R.TEXT_MALFORMED)
        yield Event(
            f"{name}, in an attribute's name", good[:-1] + b', "attributes": {"' + spoilt + b'": ""}}', R.TEXT_MALFORMED
        )
        yield Event(f"{name}, as the channel", good.replace(b'"web"', b'"' + spoilt + b'"'), R.TEXT_MALFORMED)
    for name, body in {
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16-le"),
        "UTF-32": good.decode().encode("utf-32-be"),
        "NUL": b"\0",
        "NULs": b"\0" * 1000,
        "a raw NUL in a text": good.replace(PERSON.encode(), b"a\0b"),
        "a raw tab in a text": good.replace(PERSON.encode(), b"a\tb"),
        "something behind it": good + b" x",
        "two of them": good + good,
        "two of them with a comma": good + b"," + good,
        "a comment before": b"/* c */" + good,
        "a comment behind": good + b" // c",
        "a hash": good + b" # c",
        "single quotes": good.replace(b'"', b"'"),
        "names without quotes": good.replace(b'"channel"', b"channel"),
        "a comma at the end": good[:-1] + b",}",
        "a comma twice": good.replace(b", ", b",, ", 1),
        "a colon twice": good.replace(b": ", b":: ", 1),
        "an escape that is none": good.replace(PERSON.encode(), b"\\x41"),
        "an escape that breaks off": good.replace(PERSON.encode(), b"\\u12"),
        "a closing brace too many": good + b"}",
        "the wrong bracket": good[:-1] + b"]",
        "one brace": b"{",
        "one quote": b'"',
        "one backslash": b"\\",
        "a minus": b"-",
        "a word": b"nul",
        "Python": b"{'event_id': None}",
        "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        "a form": b"event_id=1&channel=web",
    }.items():
        yield Event(name, body, R.JSON, alone=True)


def _keys(good: bytes) -> Iterator[Event]:
    for name, more in {
        "a key twice": b'"event_id": "2"',
        "a key twice, spelt otherwise": b'"event\\u005fid": "2"',
        "an unknown key twice": b'"zz": 1, "zz": 1',
        "a key twice further in": b'"amount": {"currency": "EUR", "currency": "USD", "minor_units": 1}',
        "a key twice in the attributes": b'"attributes": {"a": "1", "a": "2"}',
        "an attribute twice, spelt otherwise": b'"attributes": {"\\u0061": "1", "a": "2"}',
        "an empty key twice": b'"attributes": {"": "1", "": "2"}',
        "a key twice where nothing may be": b'"zz": {"a": {"b": [{"c": 1, "c": 2}]}}',
        "the prototype twice": b'"__proto__": 1, "__proto__": 2',
    }.items():
        yield Event(name, good[:-1] + b", " + more + b"}", R.KEY_TWICE)


def _numbers(now: int) -> Iterator[Event]:
    def number(text: str, field: str = "duration_ms") -> bytes:
        return said(event("number", now, **{field: "@"})).replace(b'"@"', text.encode())

    for text in ("NaN", "Infinity", "-Infinity", "nan", "+1", "01", "0x10", "1.", ".5", "1e", "- 1", "1_000", "\u0661"):
        yield Event(f"the number {text}", number(text), R.JSON, alone=True)
    for text in (
        "1.5",
        "1e400",
        "-1e400",
        "1e308",
        "1e-400",
        "9223372036854775808",
        "-9223372036854775809",
        "1" * 4000,
    ):
        yield Event(f"the number {text[:24]}", number(text), R.FIELD_MALFORMED)
        yield Event(f"the time {text[:24]}", number(text, "sent_at"), R.FIELD_MALFORMED)
    yield Event("a number of 5,000 digits", number("1" * 5000), R.JSON)
    yield Event("a time of 5,000 digits", number("1" * 5000, "occurred_at"), R.JSON)
    yield Event("a number of 400,000 digits", number("7" * 400_000), R.JSON)
    yield Event("many numbers of 4,000 digits", b'{"zz": [' + b",".join([b"9" * 4000] * 120) + b"]}", R.FIELD_UNKNOWN)
    yield Event("minus nothing as a time", number("-0", "occurred_at"), R.TIME_TOO_EARLY)
    for text in (
        "2026-03-01T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-03-01",
        "24:00",
        "",
        " ",
        "now",
        "1" * 1000,
        "\0",
    ):
        yield Event(f"the time {text[:24]!r} in words", said(event("t", now, occurred_at=text)), R.FIELD_MALFORMED)
    yield Event("the year 0", said(event("t", now, occurred_at="0000-01-01T00:00:00Z")), R.FIELD_MALFORMED)
    yield Event("the year 9999", said(event("t", now, occurred_at="9999-12-31T23:59:59-23:59")), R.TIME_IN_FUTURE)
    yield Event("the year 1", said(event("t", now, occurred_at="0001-01-01T00:00:00+23:59")), R.TIME_TOO_EARLY)


_OTHERS: Final[dict[str, list[Any]]] = {
    "text": [1, 1.5, True, [], {}, ["a"]],
    "number": ["1", 1.5, True, [], {}],
    "time": [1.5, True, [], {}],
    "list": ["a", 1, {}, True, [1], [None], [[]], ["a"]],
    "object": ["a", 1, [], True],
    "choice": [1, "", PERSON, "WEB", [], {}, True, 0],
}


def _kind(node: Any) -> str:
    """How a field of this type is sent."""
    if isinstance(node, list):
        return _kind(node[1])
    if isinstance(node, str):
        return "text" if node == "string" else "number"
    if "logicalType" in node:
        return "time"
    return {"array": "list", "map": "object", "record": "object", "enum": "choice"}[node["type"]]


def _types(now: int) -> Iterator[Event]:
    for field in load("touchpoint")["fields"]:
        name, kind = field["name"], _kind(field["type"])
        if name == "received_at":
            continue
        wrong = _OTHERS[kind]
        if not isinstance(field["type"], list) and name != "source":
            wrong = [*wrong, None]
        for value in wrong:
            body = said(event("types", now, **{name: value}))
            yield Event(f"{name} is {str(value)[:20]} ({type(value).__name__})", body, R.FIELD_MALFORMED)


def _fields(now: int) -> Iterator[Event]:
    for name in event("", 0):
        body = {key: value for key, value in event("missing", now).items() if key != name}
        yield Event(f"without {name}", said(body), R.FIELD_MISSING)
    for value in ({}, {"a": 1}):
        yield Event(f"the object {value}", said(value), R.FIELD_UNKNOWN if value else R.FIELD_MISSING)
    lone: Any
    for lone in (None, True, 0, -1, 1.5, "", PERSON, []):
        # A list at the top is several events, so it is one only as a line or inside a list.
        yield Event(f"nothing but {lone!r}", said(lone), R.FIELD_MALFORMED, alone=lone == [])
    for name in (
        "zz",
        "",
        " ",
        "Event_id",
        "event_id ",
        "received_at",
        "__proto__",
        "$ref",
        PERSON,
        PATH,
        "`",
        "a" * 50_000,
    ):
        yield Event(f"the unknown field {name[:20]!r}", said(event("unknown", now, **{name: PERSON})), R.FIELD_UNKNOWN)
    inner: dict[str, Any] = {"answer": ANSWER, "amount": {"currency": "EUR", "minor_units": 1}}
    inner["promise"] = {"promise_id": "p", "kind": "k"}
    for field, whole in inner.items():
        for name in ("zz", PATH, PERSON):
            more = said(event("unknown", now, **{field: {**whole, name: PERSON}}))
            yield Event(f"the unknown field {field}.{name[:20]}", more, R.FIELD_UNKNOWN)
        for name in whole:
            less = {key: value for key, value in whole.items() if key != name}
            yield Event(f"without {field}.{name}", said(event("less", now, **{field: less})), R.FIELD_MISSING)
            null = said(event("null", now, **{field: {**whole, name: None}}))
            yield Event(f"null for {field}.{name}", null, R.FIELD_MALFORMED)
    yield Event("a channel like a place", said(event("e", now, channel=PATH)), R.FIELD_MALFORMED)
    yield Event(
        "an actor like an error", said(event("e", now, actor_type=f"Expected `int`, got `{PERSON}`")), R.FIELD_MALFORMED
    )
    yield Event("an attribute that is a number", said(event("e", now, attributes={PERSON: 1})), R.FIELD_MALFORMED)
    many = [{"namespace": "customer", "value": "c"}] * 101
    yield Event("101 identifiers", said(event("e", now, identifiers=many)), R.FIELD_MALFORMED)


def _meaning(now: int) -> Iterator[Event]:
    year = 366 * 86_400_000
    for name, code, changes in (
        ("no event id", R.EVENT_ID_MISSING, {"event_id": ""}),
        ("no event type", R.EVENT_TYPE_MALFORMED, {"event_type": ""}),
        ("an event type in capitals", R.EVENT_TYPE_MALFORMED, {"event_type": PERSON}),
        ("an event type of 100,000 letters", R.EVENT_TYPE_MALFORMED, {"event_type": "a" * 100_000}),
        ("an event type with a line's end", R.EVENT_TYPE_MALFORMED, {"event_type": f"{_SMALL}\n"}),
        ("another source", R.SOURCE_FOREIGN, {"source": PERSON}),
        ("the source in capitals", R.SOURCE_FOREIGN, {"source": "LOAD"}),
        ("the source with a NUL", R.SOURCE_FOREIGN, {"source": "load\0"}),
        ("no identifiers", R.IDENTIFIER_MISSING, {"identifiers": []}),
        ("an empty identifier", R.IDENTIFIER_MALFORMED, {"identifiers": [{"namespace": "customer", "value": ""}]}),
        ("a namespace of nothing", R.IDENTIFIER_MALFORMED, {"identifiers": [{"namespace": "", "value": "c"}]}),
        ("a namespace of a person", R.IDENTIFIER_MALFORMED, {"identifiers": [{"namespace": PERSON, "value": "c"}]}),
        (
            "a person for a namespace",
            R.IDENTIFIER_MALFORMED,
            {"identifiers": [{"namespace": PERSON.lower(), "value": ""}]},
        ),
        ("no address", R.IDENTIFIER_MALFORMED, {"identifiers": [{"namespace": "email", "value": PERSON}]}),
        (
            "an address of 200,000 signs",
            R.IDENTIFIER_MALFORMED,
            {"identifiers": [{"namespace": "email", "value": "a@" * 100_000}]},
        ),
        ("1970", R.TIME_TOO_EARLY, {"occurred_at": 0}),
        ("the first of all times", R.TIME_TOO_EARLY, {"occurred_at": -(2**63)}),
        ("the last of all times", R.TIME_IN_FUTURE, {"occurred_at": 2**63 - 1}),
        ("a year ahead", R.TIME_IN_FUTURE, {"occurred_at": now + year}),
        ("nanoseconds", R.TIME_IN_FUTURE, {"occurred_at": now * 1_000_000}),
        ("sent a year before", R.TIMES_CONTRADICT, {"sent_at": now - year}),
        ("no answer", R.ANSWER_MISSING, {"event_type": "survey.answered"}),
        ("an answer above its scale", R.VALUE_OUT_OF_SCALE, {"answer": {**ANSWER, "value": 11}}),
        ("an answer below its scale", R.VALUE_OUT_OF_SCALE, {"answer": {**ANSWER, "value": -(2**31)}}),
        ("a scale the wrong way round", R.SCALE_INVALID, {"answer": {**ANSWER, "scale_min": 10, "scale_max": 0}}),
        ("an endless scale", R.SCALE_INVALID, {"answer": {**ANSWER, "metric": "own", "scale_max": 2**31 - 1}}),
        ("an answer beyond 32 bits", R.FIELD_MALFORMED, {"answer": {**ANSWER, "value": 2**31}}),
        ("a currency of a person", R.AMOUNT_MALFORMED, {"amount": {"currency": PERSON, "minor_units": 1}}),
        ("all the money", R.AMOUNT_MALFORMED, {"amount": {"currency": "EUR", "minor_units": -(2**63)}}),
        ("less than no time", R.DURATION_NEGATIVE, {"duration_ms": -1}),
        ("a text that is too long", R.TOO_LARGE, {"text": "x" * LONG}),
        ("a name that is too long", R.TOO_LARGE, {"x" * LONG: 1}),
        ("too many attributes", R.TOO_LARGE, {"attributes": {str(n): "" for n in range(60_000)}}),
    ):
        yield Event(name, said(event("meaning", now, **changes)), code)


def _nesting(good: bytes) -> Iterator[Event]:
    for name, opened in {"lists": b"[", "objects": b'{"a":'}.items():
        yield Event(f"{name} without end", good[:-1] + b', "zz": ' + opened * DEEP, R.JSON, alone=True)
    closed = b"[" * DEEP + b"]" * DEEP
    yield Event("lists in lists", good[:-1] + b', "zz": ' + closed + b"}", R.JSON, alone=True)
    objects = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    yield Event("objects in objects", good[:-1] + b', "zz": ' + objects + b"}", R.JSON, alone=True)
    shallow = b"[" * 100 + b"]" * 100
    yield Event("100 lists in lists", good[:-1] + b', "zz": ' + shallow + b"}", R.FIELD_UNKNOWN)
    yield Event("objects side by side", b'{"zz": [' + b"{}," * 170_000 + b"{}]}", R.FIELD_UNKNOWN)
