"""Requests that are wrong below the level of bodies: bytes on a socket, each with the statuses that may come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.hostile.entries import event, said

PATH: Final = b"/v1/touchpoints"
CLOSED: Final = 0
"""No answer but the end of the connection."""
BAD: Final = (400, CLOSED)


@dataclass(frozen=True, slots=True)
class Trick:
    """What is sent on a connection of its own, and which statuses the first answer may have."""

    name: str
    sent: bytes
    statuses: tuple[int, ...]


def tricks(key: str, now: int) -> list[Trick]:
    """All of them, with a key that is good. `now` is milliseconds since epoch, UTC."""
    maker = _Maker(key.encode(), said(event("trick", now)))
    return [*maker.lengths(), *maker.codings(), *maker.headers(), *maker.keys(), *maker.types(), *maker.lines()]


class _Maker:
    def __init__(self, key: bytes, body: bytes) -> None:
        self._key, self._body = key, body
        self._auth = b"Authorization: Bearer " + key
        self._size = b"Content-Length: %d" % len(body)

    def _post(self, *headers: bytes, body: bytes | None = None, line: bytes = b"POST " + PATH + b" HTTP/1.1") -> bytes:
        content = self._body if body is None else body
        return b"\r\n".join([line, b"Host: localhost", *headers, b"", content])

    def lengths(self) -> Iterator[Trick]:
        """Content-Length, wrong in every way."""
        whole = len(self._body)
        for text, statuses in {
            b"%d" % (whole - 1): (400, 422),
            b"0": (400, 422),
            b"%d" % (whole + 1): (CLOSED, 400),
            b"-1": BAD,
            b"+%d" % whole: BAD,
            b"0x10": BAD,
            b"1e3": BAD,
            b"": BAD,
            b"%d, %d" % (whole, whole): BAD,
            b"\xb2": BAD,
            b"9" * 15: (413,),
            b"9" * 30: (400, 413, CLOSED),
            b"18446744073709551616": (400, 413, CLOSED),
        }.items():
            yield Trick(f"Content-Length {text[:20]!r}", self._post(self._auth, b"Content-Length: " + text), statuses)
        yield Trick("two lengths", self._post(self._auth, self._size, b"Content-Length: 1"), BAD)
        yield Trick("the same length twice", self._post(self._auth, self._size, self._size), (400, CLOSED, 202))
        yield Trick("no length", self._post(self._auth), (400, 422))

    def codings(self) -> Iterator[Trick]:
        """Transfer-Encoding, alone and beside a length."""
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(self._body), self._body)
        coded = b"Transfer-Encoding: chunked"
        yield Trick("in one chunk", self._post(self._auth, coded, body=chunk), (202,))
        single = b"".join(b"1\r\n%c\r\n" % byte for byte in self._body) + b"0\r\n\r\n"
        yield Trick("in chunks of a byte", self._post(self._auth, coded, body=single), (202,))
        yield Trick("with trailers", self._post(self._auth, coded, body=chunk[:-2] + b"X-Api-Key: x\r\n\r\n"), (202,))
        yield Trick("a length beside chunks", self._post(self._auth, coded, self._size, body=chunk), BAD)
        yield Trick("chunks twice", self._post(self._auth, coded, coded, body=chunk), (*BAD, 202))
        yield Trick("chunked, chunked", self._post(self._auth, coded + b", chunked", body=chunk), (*BAD, 202))
        for other in (b"gzip", b"identity", b"xchunked", b"chunked, gzip", b""):
            sent = self._post(self._auth, b"Transfer-Encoding: " + other, body=chunk)
            yield Trick(f"the coding {other!r}", sent, (*BAD, 422))
        for size in (b"zz", b"-1", b"f" * 17, b"ffffffffffffffff", b"0x5", b""):
            spoilt = self._post(self._auth, coded, body=size + b"\r\nabc\r\n0\r\n\r\n")
            yield Trick(f"a chunk of {size!r}", spoilt, (*BAD, 413))
        yield Trick("chunks that break off", self._post(self._auth, coded, body=chunk[:-9]), BAD)

    def headers(self) -> Iterator[Trick]:
        """Many, long, doubled, malformed."""
        any_of = (202, 400, 431, CLOSED)
        for name, header in {
            "a header of 100 kB": b"X-Long: " + b"x" * 100_000,
            "1,000 headers": b"\r\n".join(b"X-%d: 1" % n for n in range(1000)),
            "10,000 headers": b"\r\n".join(b"X-%d: 1" % n for n in range(10_000)),
            "a header's name of 60 kB": b"X" * 60_000 + b": 1",
        }.items():
            yield Trick(name, self._post(self._auth, self._size, header), any_of)
        for name, header in {
            "a NUL in a header": b"X-Odd: a\0b",
            "a carriage return alone": b"X-Odd: a\rb",
            "a header without a name": b": x",
            "a header without a colon": b"X-Odd",
            "a blank before the colon": b"X-Odd : x",
            "a folded header": b"X-Odd: a\r\n b",
            "a name with a NUL": b"X-\0: x",
        }.items():
            yield Trick(name, self._post(self._auth, self._size, header), (*BAD, 202))
        expecting = self._post(self._auth, self._size, b"Expect: 100-continue")
        yield Trick("an expectation", expecting, (100, 202))
        yield Trick("another expectation", self._post(self._auth, self._size, b"Expect: the-worst"), (202, 417))
        upgrade = self._post(self._auth, self._size, b"Connection: Upgrade", b"Upgrade: websocket")
        yield Trick("a web socket", upgrade, (202, 400, 403, 422, 426))
        yield Trick("HTTP/2 by upgrade", self._post(self._auth, self._size, b"Upgrade: h2c"), (202,))
        for origin in (b"null", b"https://evil.example", b"*", b"", b"https://a, https://b", b"\xff", b"a" * 10_000):
            yield Trick(f"the origin {origin[:20]!r}", self._post(self._auth, self._size, b"Origin: " + origin), (403,))

    def keys(self) -> Iterator[Trick]:
        """In odd places and of odd forms."""
        for name, header in {
            "no key": b"X-Nothing: 1",
            "a key in a cookie": b"Cookie: key=" + self._key,
            "a basic key": b"Authorization: Basic " + self._key,
            "a key alone": b"Authorization: " + self._key,
            "a key of a letter more": self._auth + b"0",
            "a key of a letter less": self._auth[:-1],
            "a key in capitals": self._auth.upper(),
            "a key with a tab in it": self._auth[:-9] + b"\t" + self._auth[-9:],
            "a key of bytes": b"Authorization: Bearer \xff\xfe\xed\xa0\x80",
            "a key of 50 kB": b"Authorization: Bearer ts_" + b"0" * 50_000,
            "a key of underscores": b"X-Api-Key: " + b"_" * 1000,
            "a key that begins well": b"X-Api-Key: ts_0123456789ab_",
            "a wrong key before a good one": b"X-Api-Key: ts_x\r\n" + b"X-Api-Key: " + self._key,
        }.items():
            yield Trick(name, self._post(header, self._size), (401, 400))
        for name, character in {
            "a NUL": b"\0",
            "an end of text": b"\3",
            "an escape": b"\x1b",
            "a delete": b"\x7f",
        }.items():
            yield Trick(f"a key with {name}", self._post(self._auth[:-1] + character, self._size), (401, *BAD))
        for query in (
            b"?key=",
            b"?key=%00",
            b"?key=%ff%fe",
            b"?key=%ed%a0%80",
            b"?" + b"key=x&" * 5000,
            b"?KEY=" + self._key,
        ):
            line = b"POST " + PATH + query + b" HTTP/1.1"
            yield Trick(f"a query {query[:16]!r}", self._post(self._size, line=line), (401, 414, *BAD))

    def types(self) -> Iterator[Trick]:
        """Content-Type, with parameters and without sense."""
        for text, statuses in {
            b"application/json; charset=utf-16; charset=utf-8": (202,),
            b"application/json;": (202,),
            b"APPLICATION/JSON": (202,),
            b"application/json, text/html": (415,),
            b"application/json\tx": (415,),
            b"text/html; application/json": (415,),
            b"multipart/form-data; boundary=x": (415,),
            b"application/x-www-form-urlencoded": (415,),
            b"application/avro+json": (415,),
            b"*/*": (415,),
            b"": (415,),
            b"\xff\xfe": (415,),
            b"a" * 20_000: (415, 400, 431),
        }.items():
            yield Trick(
                f"the type {text[:30]!r}", self._post(self._auth, self._size, b"Content-Type: " + text), statuses
            )

    def lines(self) -> Iterator[Trick]:
        """Request lines, and what is no HTTP at all."""
        for line, statuses in {
            b"GET " + PATH + b" HTTP/1.1": (405,),
            b"PUT " + PATH + b" HTTP/1.1": (405,),
            b"TRACE " + PATH + b" HTTP/1.1": (405,),
            b"PROPFIND " + PATH + b" HTTP/1.1": (405,),
            b"CONNECT localhost:1 HTTP/1.1": (400, 404, 405, CLOSED),
            b"BREW " + PATH + b" HTTP/1.1": BAD,
            b"post " + PATH + b" HTTP/1.1": BAD,
            b"POST " + PATH + b" HTTP/1.0": (202,),
            b"POST " + PATH + b" HTTP/9.9": BAD,
            b"POST " + PATH: (*BAD, 202),
            b"POST  HTTP/1.1": BAD,
            b"POST " + PATH + b"/ HTTP/1.1": (404,),
            b"POST /" + PATH + b" HTTP/1.1": (404,),
            b"POST " + PATH + b"%00 HTTP/1.1": (404,),
            b"POST " + PATH + b"%ff HTTP/1.1": (404,),
            b"POST /v1/../v1/touchpoints HTTP/1.1": (404,),
            b"POST /" + b"a" * 60_000 + b" HTTP/1.1": (404, 414, *BAD),
            b"POST http://localhost" + PATH + b" HTTP/1.1": (202, 404, 400),
            b"POST /metrics HTTP/1.1": (404,),
            b"POST /openapi.json HTTP/1.1": (405,),
        }.items():
            yield Trick(f"the line {line[:40]!r}", self._post(self._auth, self._size, line=line), statuses)
        for name, sent in {
            "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
            "Kafka": b"\0\0\0\x12\0\x12\0\0\0\0\0\1\0\4test",
            "NULs": bytes(10_000),
            "line ends": b"\r\n" * 5000,
            "nothing": b"",
            "half a request": b"POST /v1/touch",
        }.items():
            yield Trick(f"the bytes of {name}", sent, BAD)
        twice = self._post(self._auth, b"Content-Length: 2", body=b"{}") + self._post(self._auth, self._size)
        yield Trick("two requests at once", twice, (422,))
