"""Made-up touchpoints that can be sent fast, with the time at which each was meant to be sent, and probes among them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, Final

import fastavro
import msgspec

from pipeline.codec import head, plain
from pipeline.events import Touchpoint
from pipeline.topics import source_topic
from schemas.registry import load

PROBE_PERSONS: Final = 8
PROBES_PER_S: Final = 20
HEAD: Final = ("event_type", "channel")


def number(value: int) -> bytes:
    """A long as Avro writes it: zigzag, seven bits a byte."""
    left, out = (value << 1) ^ (value >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def text(value: str) -> bytes:
    """A string as Avro writes it."""
    encoded = value.encode()
    return number(len(encoded)) + encoded


@cache
def _schema(names: tuple[str, ...]) -> Any:
    schema = plain(load("touchpoint"))
    fields = [field for field in schema["fields"] if field["name"] in names]
    return fastavro.parse_schema({**schema, "fields": fields})


def _part(names: tuple[str, ...], record: dict[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, _schema(names), record)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Template:
    """A touchpoint without event id, times and identifiers, in the parts that lie between them; and its topic."""

    topic: str
    kind: bytes
    source: bytes
    rest: bytes


def template(touchpoint: Touchpoint) -> Template:
    """The template of a touchpoint."""
    record = msgspec.to_builtins(touchpoint)
    names = tuple(field["name"] for field in load("touchpoint")["fields"])
    after = names[names.index("identifiers") + 1 :]
    return Template(
        source_topic(touchpoint.channel),
        _part(HEAD, record),
        _part(("source", "source_sequence"), record),
        _part(after, record),
    )


def around(start: bytes, made: Template, event_id: str, customer: str) -> tuple[bytes, bytes]:
    """A touchpoint on the wire but for its times: what stands before and behind them; `start` is the wire's head."""
    names = b"".join((b"\2", text("customer"), text(customer), b"\0"))
    return b"".join((start, text(event_id), made.kind)), b"".join((made.source, names, made.rest))


def times(at: int) -> bytes:
    """The times of a touchpoint that was meant to be sent `at`, milliseconds since epoch."""
    when = number(at)
    return b"".join((when, b"\0", b"\2", when))


def wire_head(schema_id: int) -> bytes:
    """What every record on the wire begins with."""
    return head(schema_id)


def probe_id(run: str, at: int, index: int) -> str:
    """The event id of a probe: it says when it was meant to be sent."""
    return f"probe-{run}-{at}-{index}"


def spacing(rate: float) -> int:
    """At so many records a second, of how many one is a probe."""
    return max(1, int(rate / PROBES_PER_S))


def intended(event_id: str) -> int:
    """When a probe was meant to be sent, milliseconds since epoch, by its event id."""
    return int(event_id.split("-")[2])


def all_seen_until(seen: Iterable[str], every: int) -> int:
    """When the last probe was meant to be sent up to which all have been seen, by their event ids; 0 without any.

    Milliseconds since epoch. Every so many records one is a probe, the first one too.
    """
    times = {int(name.split("-")[3]): intended(name) for name in seen}
    last, index = 0, 0
    while index in times:
        last, index = times[index], index + every
    return last


def flat(latencies: list[tuple[float, float]], seconds: float) -> bool:
    """Whether latency did not grow: its median in the last third is at most a tenth and 0.3 s above that of the third before.

    `latencies` are (intended time in seconds after the beginning, latency in seconds).
    """
    thirds: list[list[float]] = [[], [], []]
    for at, latency in latencies:
        thirds[min(2, int(3 * at / seconds))].append(latency)
    if not thirds[1] or not thirds[2]:
        return False
    middle, last = (sorted(third)[len(third) // 2] for third in thirds[1:])
    return last <= 1.1 * middle + 0.3
