"""JSON of other systems that nobody should send, for every ready mapping that reads JSON."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pipeline.events import Reason as R
from tests.hostile.entries import ACCEPTED, JSON, PERSON, Entry, verdict
from tests.hostile.mapped_good import WEBHOOKS, Webhook, iso

LONG: Final = 600_000
DEEP: Final = 100_000
BATCHES: Final = {"segment": "batch", "snowplow": "data", "formbricks": "data", "mailgun": "event-data"}


def entries(now: int, mark: str) -> Iterator[Entry]:
    """All of them. `now` is milliseconds since epoch, UTC; ids of records that are accepted begin with `mark` and are new."""
    for hook in WEBHOOKS:
        named = f"{mark}-{hook.name}"
        yield from _texts(hook, now, named)
        yield from _bodies(hook, now, named)
        yield from _odd(hook, now, named)
        yield from _keys(hook, now, named)
        yield from _types(hook, now, named)
        yield from _times(hook, now)
        yield from _together(hook, now, named)
        if hook.name in BATCHES:
            yield from _batches(hook, now, named)


def _entry(hook: Webhook, name: str, body: bytes, *codes: str) -> Entry:
    return Entry(f"{hook.name}: {name}", JSON, lambda: body, verdict(codes), codes, mapping=hook.name)


def _texts(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    good, person = hook.document(f"{mark}-text", now), PERSON.encode()
    for name, spoilt, code in (
        ("a byte that begins nothing", b"\xff", R.TEXT_MALFORMED),
        ("half a surrogate as bytes", b"\xed\xa0\x80", R.TEXT_MALFORMED),
        ("a sequence that breaks off", b"\xe2\x82", R.TEXT_MALFORMED),
        ("half a character", b"\\ud800", R.MISFIT),
        ("halves the wrong way round", b"\\udc00\\ud800", R.MISFIT),
        ("an escaped NUL", b"\\u0000", R.MISFIT),
        ("a raw NUL", b"\0", R.JSON),
        ("a raw tab", b"\t", R.JSON),
        ("an escape that is none", b"\\x41", R.JSON),
        ("an escape that breaks off", b"\\u12", R.JSON),
    ):
        yield _entry(hook, name, good.replace(person, spoilt), code)
        more = good.replace(b"{", b'{"' + spoilt + b'": 1, ', 1)
        yield _entry(hook, f"{name}, in a name", more, code)


def _bodies(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    good = hook.document(f"{mark}-body", now)
    for name, body in {
        "UTF-16": good.decode().encode("utf-16-le"),
        "something behind it": good + b" x",
        "a comment": good + b" // c",
        "two on a line": good + good,
        "two with a comma": good + b"," + good,
        "broken off": good[:-1],
        "broken off in its middle": good[: len(good) // 2],
        "the wrong bracket": good[:-1] + b"]",
        "a comma at the end": good[:-1] + b",}",
        "single quotes": good.replace(b'"', b"'"),
        "a form": b"event=opened&id=1",
        "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        "NULs": b"\0" * 1000,
        "a brace": b"{",
        "a quote": b'"',
        "broken on many lines": b'{"a":\n' * 20,
        "objects without end": b'{"a":' * DEEP,
        "a record in objects without end": good[:-1] + b', "zz": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        "a number that is none": good[:-1] + b', "zz": NaN}',
        "no number of JSON": good[:-1] + b', "zz": -Infinity}',
        "a number with a nought before it": good[:-1] + b', "zz": 01}',
    }.items():
        yield _entry(hook, name, body, R.JSON)
    for name, body in {
        "a list that breaks off": b"[" + good,
        "a list with a comma at its end": b"[" + good + b",]",
        "a list with something behind": b"[" + good + b"]x",
        "a list with NaN": b"[" + good + b",NaN]",
        "a list without end": b"[" * DEEP,
    }.items():
        yield Entry(f"{hook.name}: {name}", JSON, lambda b=body: b, 400, (R.JSON,), mapping=hook.name)  # type: ignore[misc]


def _odd(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    good = hook.document(f"{mark}-odd", now)
    for name, body in {"nothing": b"", "blanks": b" \r\n\t\n", "an empty list": b" [ ] "}.items():
        yield _entry(hook, name, body)
    for lone in ("null", "true", "1", "1e400", '"x"', "[[]]", f'"{PERSON}"'):
        yield _entry(hook, f"nothing but {lone}", lone.encode(), R.MISFIT)
    yield _entry(hook, "after a byte order mark", b"\xef\xbb\xbf" + good, ACCEPTED)
    yield _entry(hook, "a text that is too long", good[:-1] + b', "zz": "' + b"x" * LONG + b'"}', R.TOO_LARGE)
    yield _entry(hook, "a name that is too long", good[:-1] + b', "' + b"x" * LONG + b'": 1}', R.TOO_LARGE)
    yield _entry(
        hook, "a text that is too long with its names", good[:-1] + b', "zz": "' + b"x" * 200_001 + b'"}', R.TOO_LARGE
    )
    yield _entry(hook, "50,000 names", good[:-1] + b"".join(b',"%x":0' % n for n in range(50_000)) + b"}", R.TOO_LARGE)
    shallow = good[:-1] + b', "zz": ' + b"[" * 100 + b"]" * 100 + b"}"
    yield _entry(hook, "100 lists in lists", shallow, R.MISFIT)
    huge = (
        hook.document(f"{mark}-numbers", now)[:-1]
        + b', "zz": ['
        + b"9" * 5000
        + b", 1e400, -0, "
        + b"7" * 4000
        + b".5]}"
    )
    yield _entry(hook, "numbers without end that nobody reads", huge, ACCEPTED)


def _keys(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    good = hook.document(f"{mark}-keys", now)
    record = json.dumps(hook.record(f"{mark}-keys", now)).encode()
    for name, more in {
        "a key twice": b'"zz": 1, "zz": 2',
        "a key twice, spelt otherwise": b'"zz": 1, "\\u007az": 2',
        "a key twice further in": b'"zz": [{"a": {"b": 1, "b": 1}}]',
        "an empty key twice": b'"": 1, "": 2',
        "the prototype twice": b'"__proto__": 1, "__proto__": 2',
    }.items():
        yield _entry(hook, f"{name} around all", good[:-1] + b", " + more + b"}", R.KEY_TWICE)
        yield _entry(hook, f"{name} in a record", good.replace(record, record[:-1] + b", " + more + b"}"), R.KEY_TWICE)
    if hook.name in BATCHES:
        named = BATCHES[hook.name].encode()
        for name, value in {"empty": b"[]", "the same": b"", "null": b"null", "a number": b"1"}.items():
            first = good.replace(
                b'"' + named + b'"', b'"' + named + b'": ' + (value or record) + b', "' + named + b'"', 1
            )
            yield _entry(hook, f"records twice, first {name}", first, R.KEY_TWICE)
        behind = good[:-1] + b', "' + named + b'": []}'
        yield _entry(hook, "records twice, then empty", behind, R.KEY_TWICE)


def _types(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    """Lists and objects hold no text at their own names, and nothing is nothing."""
    for name in hook.needed:
        values: list[Any] = [[], {}, None, "", " ", [PERSON], {"a": PERSON}, [[[PERSON]]]]
        for value in values:
            body = hook.with_value(f"{mark}-types", now, name, value)
            yield _entry(hook, f"{name} is {str(value)[:20]!r} ({type(value).__name__})", body, R.MISFIT)
    body = hook.with_value(f"{mark}-unknown", now, hook.needed[-1] if hook.name == "jsonl" else "zz", [PERSON] * 9)
    yield _entry(hook, "a list where nobody looks", body, R.MISFIT if hook.name == "jsonl" else ACCEPTED)


def _times(hook: Webhook, now: int) -> Iterator[Entry]:
    later = now + 366 * 86_400_000
    wrong: list[Any] = [
        True,
        "now",
        "1e400",
        "NaN",
        "9" * 5000,
        "-",
        "+",
        "2026-02-30T08:00:00Z",
        "99999-01-01T00:00:00Z",
    ]
    wrong += ["0000-00-00", "\u0661" * 10, "1" * 300, 10**40, "1.5.5", f"{PERSON}"]
    for text in wrong:
        yield _entry(hook, f"the time {str(text)[:24]!r}", hook.with_value("t", now, hook.time, text), R.MISFIT)
    if hook.in_seconds is None:
        past, far, odd = "0001-01-01T00:00:00Z", iso(later), "-1"
    else:
        unit = 1000 if hook.in_seconds else 1
        past, far, odd = "-1", str(later // unit), str(10**18 - 1)
    yield _entry(hook, "a time long past", hook.with_value("t", now, hook.time, past), R.TIME_TOO_EARLY)
    yield _entry(hook, "a time a year ahead", hook.with_value("t", now, hook.time, far), R.TIME_IN_FUTURE)
    yield _entry(hook, "a time that is none", hook.with_value("t", now, hook.time, odd), R.MISFIT)


def _together(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    """A bad one costs only itself, in a list and among lines."""
    bad = [b"1", b"null", b'"x"', b'{"zz": "\\ud800"}', b'{"zz": 1, "zz": 1}', b'{"zz": "' + b"x" * LONG + b'"}']
    codes = [R.MISFIT, R.MISFIT, R.MISFIT, R.MISFIT, R.KEY_TWICE, R.TOO_LARGE]
    lines = [b"{", b"x" * LONG, b'{"zz": NaN}', b'{"zz": "\xff"}', b"\0", b"[" * DEEP]
    line_codes = [R.JSON, R.TOO_LARGE, R.JSON, R.TEXT_MALFORMED, R.JSON, R.JSON]

    def among(many: list[bytes], what: str) -> list[bytes]:
        neighbours = [hook.document(f"{mark}-{what}-{n}", now) for n in range(len(many))]
        return [part for pair in zip(neighbours, many, strict=True) for part in pair]

    told = [part for code in codes for part in (ACCEPTED, code)]
    yield _entry(hook, "a list of good and bad", b"[" + b", ".join(among(bad, "list")) + b"]", *told)
    yield _entry(hook, "lines of good and bad", b"\n".join(among(bad, "lines")), *told)
    told = [part for code in line_codes for part in (ACCEPTED, code)]
    yield _entry(hook, "lines that are no JSON among good ones", b"\r\n \n".join(among(lines, "broken")), *told)
    good = hook.document(f"{mark}-twice", now)
    yield _entry(hook, "the same one twice", good + b"\n" + good, ACCEPTED, "duplicate")


def _batches(hook: Webhook, now: int, mark: str) -> Iterator[Entry]:
    whole = hook.around(["@"])
    whole[BATCHES[hook.name]] = ["@"]
    before, _, behind = json.dumps(whole).encode().partition(b'"@"')

    def batch(*records: bytes) -> bytes:
        return before + b", ".join(records) + behind

    def good(name: str) -> bytes:
        return json.dumps(hook.record(f"{mark}-batch-{name}", now)).encode()

    bad = {b"null": R.MISFIT, b"[]": R.MISFIT, b'"x"': R.MISFIT, b'{"a": "\xff"}': R.TEXT_MALFORMED}
    bad |= {
        b'{"a": "\\udc00"}': R.MISFIT,
        b'{"a": {"b": 1, "b": 1}}': R.KEY_TWICE,
        b'{"a": [' + b"1," * 300_000 + b"1]}": R.TOO_LARGE,
    }
    for n, (record, code) in enumerate(bad.items()):
        body = batch(good(f"{n}-1"), record, good(f"{n}-2"))
        yield _entry(hook, f"the {n}th bad record of a batch", body, ACCEPTED, code, ACCEPTED)
    yield _entry(hook, "an empty batch", batch())
    around = batch(good("around"))[:-1] + b', "zz": '
    yield _entry(hook, "half a character around records", around + b'"\\ud800"}', R.MISFIT)
    yield _entry(hook, "bytes that are no text around records", around + b'"\xff"}', R.TEXT_MALFORMED)
    yield _entry(hook, "bytes that are no text in a name around records", around + b'{"\xff": 1}}', R.TEXT_MALFORMED)
    yield _entry(hook, "too much around records", around + b'"' + b"x" * LONG + b'"}', R.TOO_LARGE)
    yield _entry(
        hook,
        "too many names around records",
        around + b"{" + b",".join(b'"%x":0' % n for n in range(40_000)) + b"}}",
        R.TOO_LARGE,
    )
    yield _entry(hook, "100 lists around records", around + b"[" * 100 + b"]" * 100 + b"}", R.MISFIT)
    yield _entry(hook, "a batch that breaks off", batch(good("b"))[:-2], R.JSON)
    yield _entry(hook, "a batch without end", before + b"[" * DEEP, R.JSON)
