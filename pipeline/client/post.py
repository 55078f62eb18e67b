"""One request to the intake, over a connection that is kept: sent, answered, or the reason why not."""

import gzip
import http.client
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
PACKED_FROM_BYTES: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything sent is stored; one verdict for each event, in their order."""

    verdicts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is certain; another try may help after `wait_s` seconds, if the intake said when."""

    why: str
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Never:
    """The intake does not take it, however often it is sent."""

    status: int
    why: str


class Post:
    """Sends lines of JSON to `url`, that of the intake, with or without a path. Raises ValueError for another kind of URL."""

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of an intake, such as http://127.0.0.1:8401")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._path = parts.path if parts.path.strip("/") else "/v1/touchpoints"
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}

    def lines(self, lines: list[bytes]) -> Answered | Later | Never:
        """Send events, each a line of JSON."""
        body, headers = b"\n".join(lines), self._headers
        if len(body) >= PACKED_FROM_BYTES:
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Later(type(error).__name__, None)
        return _understood(answer.status, said, answer.getheader("Retry-After"))

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _understood(status: int, said: bytes, retry_after: str | None) -> Answered | Later | Never:
    try:
        found = json.loads(said)
        if status in (202, 422):
            return Answered(found["events"])
        why = str(found["error"]["message"])
    except (ValueError, KeyError, TypeError):
        why = f"HTTP {status}, and not from an intake"
    if status in AGAIN:
        wait_s = float(retry_after) if retry_after and retry_after.isdigit() else None
        return Later(why, wait_s)
    return Never(status, why)
