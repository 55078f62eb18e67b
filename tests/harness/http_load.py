"""A sender of touchpoints over HTTP, a process of its own: at a rate, over several connections, again until answered or given up.

What it writes down is what it was told: for each event its number and the last word on it. Event ids follow from numbers, so the
checks need nothing else.
"""

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS: Final = 24
PERSONS: Final = 50_000
INVALID_EVERY: Final = 200
AGAIN_SHARE: Final = 0.02
GIVE_UP_SHARE: Final = 0.1
PAUSE_S: Final = 0.2
UNANSWERED: Final = "unanswered"


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be sent: `events` in all, `rate` a second, `together` in a request."""

    seed: int
    url: str
    key: str
    events: int
    rate: float
    together: int


@dataclass(slots=True)
class Told:
    """The last word on each event by its number, how often each status came, and how long each answer took."""

    verdicts: dict[int, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    behind_s: float = 0.0


def event_id(seed: int, number: int) -> str:
    """The name of the event with this number."""
    return f"http-{seed}-{number:09}"


def is_invalid(number: int) -> bool:
    """Whether the event with this number is no touchpoint."""
    return number % INVALID_EVERY == 0


def event(seed: int, number: int, now: int) -> bytes:
    """The event with this number, as JSON."""
    content = {
        "event_id": event_id(seed, number),
        "event_type": "page.viewed",
        "channel": ("web", "app", "call", "email", "chat")[number % 5],
        "occurred_at": 1 if is_invalid(number) else now,
        "identifiers": [{"namespace": "cookie", "value": f"visitor-{number * 7919 % PERSONS:06}"}],
        "attributes": {"page": "/shoes/42", "referrer": "search"},
    }
    return json.dumps(content).encode()


class _Connection:
    """One connection that is kept, and made anew when it breaks."""

    def __init__(self, load: Load) -> None:
        parts = urlsplit(load.url)
        self._at = (parts.hostname or "", parts.port or 80)
        self._head = (
            f"POST /v1/touchpoints HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {load.key}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: "
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError, EOFError."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._at)
        reader, writer = self._streams
        try:
            writer.write(self._head + b"%d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            return int(head.split(b" ", 2)[1]), await reader.readexactly(size)
        except (OSError, EOFError):
            writer.close()
            self._streams = None
            raise


async def send(load: Load, told: Told) -> None:
    """Send everything at its time; late ones follow as fast as they are answered."""
    requests, began = asyncio.Queue[tuple[float, range]](), time.monotonic()
    for first in range(0, load.events, load.together):
        requests.put_nowait((began + first / load.rate, range(first, min(first + load.together, load.events))))
    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(_work(load, told, requests, random.Random(load.seed * 1000 + number)))


async def _work(load: Load, told: Told, requests: "asyncio.Queue[tuple[float, range]]", chance: random.Random) -> None:
    connection = _Connection(load)
    while not requests.empty():
        due, numbers = requests.get_nowait()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        told.behind_s = max(0.0, time.monotonic() - due)
        wanted = list(numbers)
        if told.verdicts and chance.random() < AGAIN_SHARE * load.together:  # some that were answered before come again
            wanted.append(chance.randrange(0, numbers[0] + 1))
        await _until_answered(load, told, connection, wanted, chance)


async def _until_answered(
    load: Load, told: Told, connection: _Connection, numbers: list[int], chance: random.Random
) -> None:
    for number in numbers:
        told.verdicts.setdefault(number, UNANSWERED)
    body = b"\n".join(event(load.seed, number, time.time_ns() // 1_000_000) for number in numbers)
    while True:
        began = time.monotonic()
        try:
            status, said = await connection.post(body)
        except (OSError, EOFError) as error:
            status, said = 0, type(error).__name__.encode()
        told.statuses[str(status)] = told.statuses.get(str(status), 0) + 1
        told.seconds.append(time.monotonic() - began)
        if status in (202, 422):
            for number, verdict in zip(numbers, json.loads(said)["events"], strict=True):
                told.verdicts[number] = verdict["status"]
            return
        if chance.random() < GIVE_UP_SHARE:
            return
        await asyncio.sleep(PAUSE_S)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("seed", int), ("url", str), ("key", str), ("events", int), ("rate", float), ("together", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--told", type=Path, required=True)
    given = vars(parser.parse_args())
    file, told = given.pop("told"), Told()
    began = time.monotonic()
    asyncio.run(send(Load(**given), told))
    seconds = sorted(told.seconds)
    summary = {
        "seconds": time.monotonic() - began,
        "behind_s": told.behind_s,
        "statuses": told.statuses,
        "p50_s": seconds[len(seconds) // 2],
        "p99_s": seconds[int(len(seconds) * 0.99)],
        "max_s": seconds[-1],
        "verdicts": told.verdicts,
    }
    file.write_text(json.dumps(summary))


if __name__ == "__main__":
    main()
