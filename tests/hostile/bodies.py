"""Whole bodies that nobody should send: every bad event alone and between good ones, and what is wrong with a body as a whole."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.events import Reason as R
from tests.hostile import containers
from tests.hostile.avro_files import MAGIC
from tests.hostile.entries import ACCEPTED, AVRO, JSON, LINES, Entry, Event, event, record, said, verdict
from tests.hostile.json_events import events, truncated
from tests.hostile.records import records

MEBIBYTE: Final = 1 << 20
TOGETHER: Final = 40
GZIP: Final = (("Content-Encoding", "gzip"),)
ONLY_AT_A_STAGE: Final = (R.SOURCE_MISSING,)


def entries(now: int, mark: str) -> list[Entry]:
    """All of them. `now` is milliseconds since epoch, UTC; event ids that are accepted begin with `mark` and are new."""
    bad = events(now)
    return [
        *(_alone(one) for one in bad if not one.body.lstrip().startswith(b"[") and one.body.strip()),
        *_in_lists(bad, now, mark),
        *_in_lines(bad, now, mark),
        *_spoilt_lists(bad, now),
        *_whole(now, mark),
        *_large(now),
        *_gzipped(now, mark),
        *_single_records(now),
        *containers.entries(now, mark),
    ]


def _entry(name: str, kind: str, body: bytes, codes: Sequence[str]) -> Entry:
    return Entry(name, kind, lambda: body, verdict(codes), tuple(codes))


def _alone(one: Event) -> Entry:
    return _entry(f"alone: {one.name}", JSON, one.body, [one.code])


def _between(bad: Sequence[Event], now: int, mark: str) -> Iterator[tuple[list[bytes], list[str]]]:
    """Good events and bad ones by turns, so many together in a request, and their codes."""
    for first in range(0, len(bad), TOGETHER):
        bodies, codes = list[bytes](), list[str]()
        for number, one in enumerate(bad[first : first + TOGETHER]):
            bodies += [said(event(f"{mark}-{first + number}", now)), one.body]
            codes += [ACCEPTED, one.code]
        yield bodies, codes


def _in_lists(bad: Sequence[Event], now: int, mark: str) -> Iterator[Entry]:
    small = [one for one in bad if not one.alone and len(one.body) < 100_000]
    for number, (bodies, codes) in enumerate(_between(small, now, f"{mark}-list")):
        yield _entry(f"a list of good and bad events, the {number}th", JSON, b"[" + b",".join(bodies) + b"]", codes)


def _in_lines(bad: Sequence[Event], now: int, mark: str) -> Iterator[Entry]:
    small = [one for one in bad if len(one.body) < 100_000 and b"\n" not in one.body and one.body.strip()]
    small += [Event("", body, R.JSON) for body in truncated(now)]
    for number, (bodies, codes) in enumerate(_between(small, now, f"{mark}-lines")):
        end = (b"\n", b"\r\n", b"\n\n", b"\r\n \t\r\n")[number % 4]
        yield _entry(f"lines of good and bad events, the {number}th", LINES, end.join(bodies), codes)


def _spoilt_lists(bad: Sequence[Event], now: int) -> Iterator[Entry]:
    """What is no JSON takes the whole list with it; all of it is kept as one rejected record."""
    good = said(event("with-a-spoilt-one", now))
    for one in bad:
        if one.alone and one.body != b"[]" and one.name not in ("two of them with a comma",):
            body = b"[" + good + b"," + one.body + b"," + good + b"]"
            yield Entry(f"a list with {one.name}", JSON, lambda body=body: body, 400, (R.JSON,))  # type: ignore[misc]


def _whole(now: int, mark: str) -> Iterator[Entry]:
    good = [said(event(f"{mark}-whole-{n}", now)) for n in range(8)]
    listed = b"[" + b",".join(good[:2]) + b"]"
    for name, body in {
        "a list that breaks off": listed[:-1],
        "a list that breaks off in an event": listed[:-9],
        "a list with a comma at its end": listed[:-1] + b",]",
        "a list with something behind": listed + b"x",
        "two lists": listed + listed,
        "a list closed as an object": listed[:-1] + b"}",
        "a list opened twice": b"[" + listed,
        "a list without end": b"[" * 100_000,
        "a list of empty places": b"[,]",
        "a list after a byte order mark": b"[\xef\xbb\xbf" + good[0] + b"]",
        "a list with a comment": b"[/* c */" + good[0] + b"]",
        "a list of texts that break off": b'["a',
        "a list and NULs": listed + b"\0" * 10,
    }.items():
        yield Entry(name, JSON, lambda body=body: body, 400, (R.JSON,))  # type: ignore[misc]
    for name, body in {"nothing": b"", "blanks": b" \t\r\n", "a form feed": b"\f"}.items():
        yield _entry(f"a body of {name}", JSON, body, [R.JSON])
    yield _entry("no lines", LINES, b"", [])
    yield _entry("blank lines", LINES, b"\n \r\n\t\n\n", [])
    yield _entry("an empty list", JSON, b" [ ] ", [])
    yield _entry("a list of nothing", JSON, b"[null, [], 0, {}]", [*[R.FIELD_MALFORMED] * 3, R.FIELD_MISSING])
    yield _entry("a list of lists", JSON, b"[" + listed + b"]", [R.FIELD_MALFORMED])
    yield _entry("lines that are lists", LINES, listed + b"\n" + good[2], [R.FIELD_MALFORMED, ACCEPTED])
    yield _entry("lines with carriage returns alone", LINES, good[3] + b"\r" + good[4], [R.JSON])
    yield _entry("lines with a separator of Unicode", LINES, good[3] + b"\xe2\x80\xa8" + good[4], [R.JSON])
    yield _entry("a line with a NUL behind it", LINES, good[3] + b"\0\n" + good[5], [R.JSON, ACCEPTED])
    spread = json.dumps(event("e", now), indent=0).encode()
    yield _entry("an event over several lines", LINES, spread, [R.JSON] * len(spread.splitlines()))
    yield _entry("lines sent as JSON", JSON, good[6] + b"\n" + good[7], [R.JSON])
    yield _entry("the same event in a list", JSON, b"[" + good[6] + b"," + good[6] + b"]", [ACCEPTED, "duplicate"])
    yield _entry("an event as plain text", "text/plain;charset=UTF-8", good[7], [ACCEPTED])
    yield _entry("a record as JSON", JSON, record("r", now), [R.TEXT_MALFORMED])
    yield _entry("JSON as a record", AVRO, good[3], [R.MAGIC])
    long = "i" * 100_000
    yield _entry("an event id of 100,000 letters", JSON, said(event(mark + long, now)), [ACCEPTED])
    yield Entry("the same one again", JSON, lambda: said(event(mark + long, now)), 202, ("duplicate",))


def _large(now: int) -> Iterator[Entry]:
    good = said(event("large", now))
    for name, body in {
        "10 MB of blanks": b" " * (10 * MEBIBYTE),
        "10 MB of a text": said(event("e", now, text="x" * (10 * MEBIBYTE))),
        "10 MB of brackets": b"[" * (10 * MEBIBYTE),
        "one byte too many": b" " * (8 * MEBIBYTE + 1),
    }.items():
        for kind in (JSON, LINES, AVRO):
            yield Entry(f"{name} as {kind}", kind, lambda body=body: body, 413, ("too_large",))  # type: ignore[misc]
    full = 8 * MEBIBYTE
    for name, kind, body in (
        ("4 million numbers", JSON, b"[" + b"1," * (full // 2 - 2) + b"1]"),
        ("2 million empty objects", JSON, b"[" + b"{}," * (full // 3 - 2) + b"{}]"),
        ("10,001 numbers", JSON, b"[" + b"1," * 10_000 + b"1]"),
        ("10,001 lines", LINES, b"1\n" * 10_001),
        ("2 million lines", LINES, b"{}\n" * (full // 3)),
        ("4 million blank lines", LINES, b" \n" * (full // 2)),
    ):
        yield Entry(name, kind, lambda body=body: body, 413, ("too_many",))  # type: ignore[misc]
    for name, kind, body, code in (
        ("8 MiB of one text", JSON, b'"' + b"x" * (full - 2) + b'"', R.TOO_LARGE),
        ("8 MiB of brackets as an object", JSON, b'{"a":' * (full // 5), R.TOO_LARGE),
        ("8 MiB of NULs", JSON, b"\0" * full, R.TOO_LARGE),
        ("8 MiB of 0xff as a record", AVRO, b"\xff" * full, R.TOO_LARGE),
        ("8 MiB in a line", LINES, b"x" * full, R.TOO_LARGE),
    ):
        yield _entry(name, kind, body, [code])
    yield _entry("8 MiB of line ends", LINES, b"\n" * full, [])
    yield Entry("8 MiB of brackets as a list", JSON, lambda: b"[" * full, 400, (R.JSON,))
    yield Entry("8 MiB of commas as a list", JSON, lambda: b"[" + b"," * (full - 1), 400, (R.JSON,))
    yield Entry("8 MiB of a list with garbage", JSON, lambda: b"[" + good + b"," + b"x" * (full - 2000), 400, (R.JSON,))


def _gzipped(now: int, mark: str) -> Iterator[Entry]:
    good = gzip.compress(said(event(f"{mark}-gzipped", now)))
    yield Entry("a gzipped event", JSON, lambda: good, 202, (ACCEPTED,), GZIP)
    for name, body in {
        "plain, said to be gzipped": said(event("e", now)),
        "gzip of no bytes": b"",
        "gzip that breaks off": good[:-9],
        "gzip with a wrong checksum": good[:-8] + bytes(8),
        "gzip in gzip's place for zlib": zlib.compress(b"{}"),
        "gzip with something behind": good + b"x",
        "two gzips": good + good,
    }.items():
        yield Entry(name, JSON, lambda body=body: body, 400, ("gzip",), GZIP)  # type: ignore[misc]
    for name, size, times in (("9 MB", 9 * MEBIBYTE, 1), ("200 MB", MEBIBYTE, 200)):
        yield Entry(f"a gzip bomb of {name}", JSON, lambda s=size, t=times: bomb(s, t), 413, ("too_large",), GZIP)  # type: ignore[misc]
    twice = gzip.compress(bomb(MEBIBYTE, 64))
    yield Entry("a gzip bomb in gzip", JSON, lambda: twice, 422, (R.TEXT_MALFORMED,), GZIP)
    for coding in ("br", "deflate", "gzip, gzip", "gzip,identity", "GZIP2", "", "chunked"):
        named = (("Content-Encoding", coding),)
        yield Entry(f"the encoding {coding!r}", JSON, lambda: good, 415, ("content_encoding",), named)


def bomb(part: int, times: int) -> bytes:
    """So many NULs, so many times, gzipped without ever having been there as a whole."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    nothing = bytes(part)
    return b"".join(packing.compress(nothing) for _ in range(times)) + packing.flush()


def _single_records(now: int) -> Iterator[Entry]:
    """The records for topics, sent to the intake: a source that is missing is not wrong there, and no bytes are no tombstone."""
    for name, value, code in records(now):
        if value is None or code in ONLY_AT_A_STAGE or value.startswith(MAGIC):
            continue
        found = R.TOO_LARGE if len(value) > 512 << 10 else R.FIELD_MALFORMED if name.startswith("50,000") else code
        yield _entry(f"the record: {name}", AVRO, value, [found])
