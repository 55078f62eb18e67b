"""Where a fuzzer begins: the corpus's own small entries and good ones, and the words that its inputs are made of."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.codec import head
from pipeline.replay import ready
from schemas.registry import load
from tests.harness.codecs import newer, older, under, written
from tests.harness.mappings import example
from tests.harness.touchpoints import NOW, touchpoint
from tests.hostile import containers
from tests.hostile import mapped as other_systems
from tests.hostile.avro_files import block, body_of, deflated, header, number
from tests.hostile.bodies import entries
from tests.hostile.entries import AVRO, PERSON, event, record, said
from tests.hostile.json_events import ANSWER
from tests.hostile.records import records
from tests.hostile.targets import BY_FIELDS, MARK, OTHERS, OURS

LARGEST: Final = 4096
SMALL: Final = 20
ODD: Final = [
    *(b"NaN", b"1e400", b"\\ud800", b"\\u0065", b"\xff", b"null", b"true", b"-0"),
    *(b"[", b"]", b"{", b"}", b"\n", b"\r\n"),
]
_QUOTED: Final = re.compile(r'"([A-Za-z][A-Za-z_.:-]{1,40})"')
_FULL: Final[dict[str, Any]] = {
    "answer": {**ANSWER, "direction": "high_is_good", "aspect": None},
    "amount": {"currency": "EUR", "minor_units": -1},
    "promise": {"promise_id": "p", "kind": "callback", "due_at": NOW},
    "text": "ä" * 9,
    "attributes": {"a": "b", "c": "d"},
}


def _avro() -> Iterator[bytes]:
    full = record("full", NOW, **_FULL)
    yield from (record("good", NOW), full, *(under(schema_id, full) for schema_id in OTHERS))
    yield from (value for _, value, _ in records(NOW) if value is not None)
    whole = {**touchpoint(**_FULL), "till": "7"}
    yield from (written(made, whole, schema_id) for schema_id, made in OTHERS.items() if made in BY_FIELDS)


def _json() -> Iterator[bytes]:
    full = event("full", NOW, **_FULL)
    yield from (said(full), said([full, full]), said(event("t", NOW, occurred_at="2023-11-14T22:13:20Z")))
    yield from (entry.make() for entry in entries(NOW, "seed") if entry.kind != AVRO)


def _container() -> Iterator[bytes]:
    small: Any = {key: value for key, value in load("touchpoint").items() if key != "doc"}
    small["fields"] = [
        {key: value for key, value in field.items() if key not in ("doc", "privacy", "unit")}
        for field in small["fields"]
    ]
    good = body_of(record("full", NOW, **_FULL))
    for schema in (small, newer(), older()):
        yield header(schema) + block(good)
        yield header(schema) + block(good * 3, 3) + block(good)
        yield header(schema, b"deflate") + block(deflated(good * 2), 2)
    yield from (entry.make() for entry in containers.entries(NOW, "seed") if "bomb" not in entry.name)


def _mapped() -> Iterator[bytes]:
    """The first byte names the mapping; with the others of its kind there is a small bound."""
    places = {name: bytes([place]) for place, name in enumerate(ready.names())}
    for name, place in places.items():
        body = example(name).read_bytes()
        yield from (place + body, *(place + line for line in body.splitlines()))
    for entry in other_systems.entries(NOW, "seed"):
        body = entry.make()
        yield places[entry.mapping] + body
        yield bytes([places[entry.mapping][0] + SMALL * len(places)]) + body


_MADE: Final = {"avro": _avro, "json": _json, "container": _container, "mapped": _mapped}


def seeds(target: str) -> list[bytes]:
    """The first inputs of a target, none of them large."""
    most = LARGEST if target != "container" else 4 * LARGEST
    return [one for one in _MADE[target]() if len(one) <= most]


def dictionary(target: str) -> list[bytes]:
    """What mutations put in."""
    names = [field["name"].encode() for field in load("touchpoint")["fields"]]
    inner = [b"namespace", b"value", b"metric", b"scale_min", b"scale_max", b"currency", b"minor_units", b"promise_id"]
    numbers = [number(n) for n in (0, -1, 1, 1 << 31, -(1 << 31), 1 << 62, (1 << 63) - 1, -(1 << 63))]
    words = [PERSON.encode(), b"customer", b"web", b"page.viewed", b"high_is_good"]
    if target == "json":
        return [b'"' + name + b'"' for name in (*names, *inner, *words)] + ODD + [b'": ', b", ", b" - at `$."]
    if target == "mapped":
        quoted = {word for name in ready.names() for word in _QUOTED.findall(ready.text(name))}
        found = {part.encode() for word in quoted for part in (word, *word.split("."))}
        return [b'"' + name + b'"' for name in sorted(found)] + ODD + [b'": ', b'","', b",", b'"', b"\0", MARK]
    more = [b'"type"', b'"record"', b'"fields"', b'"null"', b'"string"', b'"array"', b'"items"', b'"union"', b'"map"']
    more += [b'"enum"', b'"fixed"', b'"size"', b'"Touchpoint"', b"avro.schema", b"avro.codec", b"deflate", b"Obj\x01"]
    return [*words, *numbers, *map(head, (1, OURS, *OTHERS)), *(more if target == "container" else ())]
