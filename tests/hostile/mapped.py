"""Bodies of other systems that nobody should send: every mapping's own, and those that are large or would become so."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.events import Reason as R
from tests.hostile import mapped_sheets, mapped_webhooks
from tests.hostile.entries import ACCEPTED, JSON, PERSON, Entry, verdict
from tests.hostile.mapped_good import SHEETS, WEBHOOKS

FULL: Final = 8 << 20
TOO_MANY: Final = "too_many"
HOOKS: Final = {hook.name: hook for hook in WEBHOOKS}
TABLES: Final = {sheet.name: sheet for sheet in SHEETS}


def entries(now: int, mark: str) -> list[Entry]:
    """All of them. `now` is milliseconds since epoch, UTC; ids of what is accepted begin with `mark` and are new."""
    return [
        *mapped_webhooks.entries(now, mark),
        *mapped_sheets.entries(now, mark),
        *_large(),
        *_refused(now, f"{mark}-refused"),
        *_growing(now, f"{mark}-growing"),
    ]


def _entry(mapping: str, name: str, make: Callable[[], bytes], *codes: str) -> Entry:
    return Entry(f"{mapping}: {name}", JSON, make, verdict(codes), codes, mapping=mapping)


def _filled(unit: bytes, before: bytes = b"", behind: bytes = b"") -> Callable[[], bytes]:
    """So many of a part that the body is as large as one may be."""
    return lambda: before + unit * ((FULL - len(before) - len(behind)) // len(unit)) + behind


def _large() -> Iterator[Entry]:
    head = TABLES["csv"].head.encode() + b"\n"
    for mapping, name, make in (
        ("segment", "4 million numbers", _filled(b"1,", b"[", b"1]")),
        ("segment", "a batch of 2 million empty objects", _filled(b"{},", b'{"batch":[', b"{}]}")),
        ("segment", "10,001 records", lambda: b'{"batch":[' + b"{}," * 10_000 + b"{}]}"),
        ("segment", "2 million lines", _filled(b"{}\n")),
        ("segment", "4 million blank lines", _filled(b" \n", b"{}\n{}\n")),
        ("csv", "8 MiB of line ends", _filled(b"\n")),
        ("csv", "10,001 rows", lambda: head + b"x\n" * 10_001),
        ("csv", "2 million lines that open quotes", _filled(b'a","\n', head)),
        ("asterisk", "8 MiB of carriage returns", _filled(b"\r")),
        ("freeswitch", "8 MiB of rows", _filled(b'"a",b\r\n')),
    ):
        yield Entry(f"{mapping}: {name}", JSON, make, 413, (TOO_MANY,), mapping=mapping)
    for mapping, name, make in (
        ("segment", "8 MiB of brackets as objects", _filled(b'{"a":')),
        ("segment", "8 MiB of one text", _filled(b"x", b'"', b'"')),
        ("segment", "8 MiB around a record", _filled(b"{},", b'{"batch":[{}],"zz":[', b"{}]}")),
        (
            "formbricks",
            "8 MiB of one record",
            _filled(b'"a",', b'{"event":"responseFinished","data":{"data":[', b'"a"]}}'),
        ),
        ("mailgun", "8 MiB of NULs", _filled(b"\0")),
        ("jsonl", "8 MiB in a line", _filled(b"x")),
        ("asterisk", "8 MiB of one cell", _filled(b"x")),
        ("csv", "8 MiB of quotes", _filled(b'"')),
    ):
        yield _entry(mapping, name, make, R.TOO_LARGE)
    yield Entry("segment: 8 MiB of brackets as a list", JSON, _filled(b"["), 400, (R.JSON,), mapping="segment")
    yield _entry("asterisk", "lines that open quotes", lambda: (b'a","' + b"x" * 90 + b"\n") * 9000, *[R.MISFIT] * 37)


def _refused(now: int, mark: str) -> Iterator[Entry]:
    """As many records as there may be, or as large ones, and nothing of it is taken."""
    good = [TABLES["csv"].row(f"{mark}-between-{n}", now) for n in range(2000)]
    rows = [row for one in good for row in (one, "\udcff" * 800)]
    told = (ACCEPTED, R.MISFIT) * 2000
    yield _entry("csv", "2,000 rows of bad bytes between good ones", lambda: TABLES["csv"].of(*rows), *told)
    nested = b'{"a":[' + b"{}," * 170_000 + b"{}]}"
    yield _entry(
        "segment", "10 records of empty objects", lambda: b"[" + b",".join([nested] * 10) + b"]", *[R.TOO_LARGE] * 10
    )
    names = b'{"batch":[{}]' + b"".join(b',"%x":[]' % n for n in range(40_000)) + b"}"
    yield _entry(
        "segment", "16 documents of 40,000 names", lambda: b"[" + b",".join([names] * 16) + b"]", *[R.TOO_LARGE] * 16
    )
    packed = b64encode(b'{"data":{"data":[' + b"{}," * 9000 + b"{}]}}").decode()
    snow = json.dumps({**HOOKS["snowplow"].record("packed", now), "e": "ue", "ue_px": packed})
    lines = "\n".join([snow] * 120).encode()
    yield _entry("snowplow", "objects without end within a text", lambda: lines, *[R.TOO_LARGE] * 120)
    twice = json.dumps({**HOOKS["snowplow"].record("twice", now), "e": "ue", "ue_pr": '{"data": {"a": 1, "a": 2}}'})
    yield _entry("snowplow", "a key twice within a text", twice.encode, R.KEY_TWICE)
    deep = json.dumps({**HOOKS["snowplow"].record("deep", now), "e": "ue", "ue_pr": "[" * 100_000, "eid": ""})
    yield _entry("snowplow", "nesting without end within a text", deep.encode, R.MISFIT)
    answers = {**HOOKS["formbricks"].record("many", now), "data": {str(n): "a" for n in range(201)}}
    yield _entry("formbricks", "201 answers", lambda: HOOKS["formbricks"].of(answers), R.MISFIT)
    nps = {**HOOKS["formbricks"].record("nps", now), "data": {"nps": 11, "csat": [], "why": {}}}
    yield _entry("formbricks", "an answer above its scale", lambda: HOOKS["formbricks"].of(nps), R.MISFIT)


def _growing(now: int, mark: str) -> Iterator[Entry]:
    """Little is sent, and much would come of it: what all records have in common, or many touchpoints of a row."""

    def too_large(mapping: str, name: str, body: bytes) -> Entry:
        return Entry(f"{mapping}: {name}", JSON, lambda: body, 413, (R.TOO_LARGE,), mapping=mapping)

    segment, long = HOOKS["segment"], {"campaign": {"name": "x" * 190_000}}
    records: list[Any] = [segment.record(f"{mark}-{n}", now) for n in range(1000)]
    yield too_large("segment", "a long campaign for all", json.dumps({"batch": records, "context": long}).encode())
    yield too_large("segment", "much around bad records", json.dumps({"batch": [1] * 9999, "context": long}).encode())
    head = TABLES["csv"].head + "," + "a" * 190_000
    yield too_large("csv", "a long header line for bad rows", "\n".join([head, *["x"] * 1000]).encode())
    answers = {str(n): "a" for n in range(199)}
    response = {**HOOKS["formbricks"].record(f"{mark}-wide", now), "data": answers, "language": "x" * 150_000}
    yield too_large("formbricks", "a long word in 199 answers", HOOKS["formbricks"].of(response))
    ahead = {
        **HOOKS["formbricks"].record("bad", now),
        "data": answers,
        "updatedAt": "2099-01-01T00:00:00Z",
        "x": "x" * 150_000,
    }
    yield too_large("formbricks", "199 bad answers, each of a large row", HOOKS["formbricks"].of(ahead))
    wide = {
        **HOOKS["formbricks"].record(f"{mark}-cells", now),
        "data": answers,
        "zz": {str(n): "" for n in range(9000)},
    }
    body = HOOKS["formbricks"].of(wide)
    yield _entry("formbricks", "199 answers in 9,000 cells", lambda: body, *[ACCEPTED] * 199)
    sweet = "\U0001f36d" * 70_000
    event = {**segment.record("event", now), "name": sweet, "context": {"campaign": {"name": PERSON}}}
    grown = {"batch": [event], "context": {"locale": sweet}}
    yield _entry(
        "segment", "an event that is too large", lambda: json.dumps(grown, ensure_ascii=False).encode(), R.TOO_LARGE
    )
