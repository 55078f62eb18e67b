"""What of an HTTP request the intake goes by: its body within bounds, its key, its page's origin."""

import asyncio
import zlib
from typing import Final

from starlette.requests import ClientDisconnect, Request

BODY_WITHIN_S: Final = 30.0
_BEARER: Final = "bearer "


class Refusal(Exception):
    """The request is answered with this status, and nothing of it was taken."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


def key_of(request: Request) -> str:
    """The key that the request came with, in a header, or in the address for pages that cannot set one; "" without."""
    given = request.headers.get("authorization", "")
    if given[: len(_BEARER)].lower() == _BEARER:
        return given[len(_BEARER) :].strip()
    return request.headers.get("x-api-key", "") or request.query_params.get("key", "")


async def body_of(request: Request, most: int) -> bytes:
    """The whole body, unpacked, of at most `most` bytes. Raises Refusal, ClientDisconnect."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Refusal(415, "content_encoding", "a body may be plain or gzipped")
    too_large = Refusal(413, "too_large", f"a body may have {most} bytes at most: send fewer events at once")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "too_slow", f"the body did not come within {BODY_WITHIN_S:g} s") from None
    body = b"".join(parts)
    return _unpacked(body, most, too_large) if encoding == "gzip" else body


def _unpacked(body: bytes, most: int, too_large: Refusal) -> bytes:
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(400, "gzip", "the body is not gzipped as its header says") from None
    if len(plain) > most:
        raise too_large
    if not unpacking.eof:
        raise Refusal(400, "gzip", "the gzipped body breaks off")
    if unpacking.unused_data:
        raise Refusal(400, "gzip", "the gzipped body goes on behind its end: pack it in one piece")
    return plain


__all__ = ["ClientDisconnect", "Refusal", "body_of", "key_of"]
