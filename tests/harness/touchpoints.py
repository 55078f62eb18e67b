"""Touchpoints for tests: builders for one, strategies for many, the folds that take them, and what a consumer holds in the end."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import hypothesis.strategies as st

from pipeline.codec import Decoder, Encoder, plain
from pipeline.events import Origin, Out, Raw, Rejection
from pipeline.flow import Rules
from pipeline.keys import Keyring
from pipeline.topics import BY_NAME, OUTPUTS, RESOLVED
from processors.journey import FIELDS, JourneyFold
from processors.policies import JourneyPolicy
from processors.resolve import Admission, ResolvedWriter, ResolveFold
from processors.validate import TimeLimits
from schemas.registry import FileRegistry, load

Record = dict[str, Any]
Held = dict[str, dict[tuple[Any, ...], Record]]

# A Tuesday, 2023-11-14T22:13:20Z.
NOW: Final = 1_700_000_000_000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
SECRET: Final = b"a secret for tests alone"
SOURCE: Final = "cx.touchpoints.web.v1"
REGISTRY: Final = FileRegistry()
KEYRING: Final = Keyring(SECRET)
LIMITS: Final = TimeLimits(earliest_ms=631_152_000_000, tolerance_ms=DAY)
# Small enough that a test's few touchpoints reach over every horizon.
SMALL_POLICY: Final = JourneyPolicy(
    session_gaps={"web": 10_000, "call": 25_000, "other": 10_000},
    journey_gap_ms=60_000,
    horizon_ms=500_000,
    journey_horizon_ms=900_000,
)
KEYS: Final = {
    "customers.v1": ("person",),
    "sessions.v1": ("person", "session_id"),
    "journeys.v1": ("person", "journey_id"),
    "scores.v1": ("person", "metric", "scale", "direction"),
}


def touchpoint(**changes: Any) -> Record:
    """A valid touchpoint with all its fields, but for what `changes` says."""
    record = {field["name"]: field.get("default") for field in load("touchpoint")["fields"]}
    record |= {
        "event_id": "e-1",
        "event_type": "page.viewed",
        "channel": "web",
        "occurred_at": NOW,
        "source": "web-shop",
        "identifiers": [{"namespace": "customer", "value": "c-1"}],
        "attributes": {},
    }
    return record | changes


def answer(value: int = 9, **changes: Any) -> Record:
    """An NPS answer, but for what `changes` says."""
    whole = {"question": "q1", "metric": "nps", "scale_min": 0, "scale_max": 10, "direction": "high_is_good"}
    return {**whole, "value": value, "aspect": None, **changes}


def encoder(record: str) -> Encoder:
    """The encoder of a record under the files' ids."""
    return Encoder(record, REGISTRY, "any-value")


_TOUCHPOINT: Final = encoder("touchpoint")


def wire(record: Record) -> bytes:
    """A touchpoint on the wire."""
    return _TOUCHPOINT.encode(record)


def raw(value: bytes | None, offset: int = 0, arrived_at: int = NOW, place: tuple[str, int] = (SOURCE, 0)) -> Raw:
    """A record as it lies on Kafka; `place` is topic and partition."""
    return Raw(Origin(*place, offset, arrived_at), None, value)


def admission(horizon_h: int = 24) -> Admission:
    """How a stage of these tests judges records."""
    return Admission(Decoder("touchpoint", REGISTRY), KEYRING, LIMITS, horizon_h)


def rules(policy: JourneyPolicy = SMALL_POLICY) -> Rules:
    """The rules of both stages."""
    return Rules(admission(), policy)


def resolve_fold(horizon_h: int = 24) -> ResolveFold:
    """A resolve stage's state for one partition, empty."""
    judging = admission(horizon_h)
    return ResolveFold(judging, ResolvedWriter(encoder("resolved_touchpoint"), judging.decoder))


_ENCODERS: Final = {kind: encoder(kind) for kind in OUTPUTS}


def journey_fold(policy: JourneyPolicy = SMALL_POLICY) -> JourneyFold:
    """A journey stage's state for one partition, empty."""
    return JourneyFold(Decoder("resolved_touchpoint", REGISTRY, FIELDS), _ENCODERS, policy)


def resolved_log(outs: Iterable[Out], first: int = 0) -> list[Raw]:
    """What of a resolve stage's output lies on one partition of its topic, from offset `first` on."""
    values = (out.value for out in outs if out.topic == RESOLVED)
    return [raw(value, first + n, place=("cx." + RESOLVED, 0)) for n, value in enumerate(values)]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a resolved touchpoint is."""

    person: str = "p_1"
    cell: str = "customer:1"


def resolved(record: Record, offset: int, owner: Owner = Owner()) -> Raw:
    """A touchpoint as the journey stage reads it."""
    more = {"person": owner.person, "cell": owner.cell, "identity_version": 0, "arrived_at": NOW}
    origin = {"source_topic": SOURCE, "source_partition": 0, "source_offset": offset}
    return raw(encoder("resolved_touchpoint").encode({**record, **more, **origin}), offset, place=("cx." + RESOLVED, 0))


def records_of(outs: Iterable[Out]) -> list[tuple[str, Record]]:
    """Topic and record of everything that the journey stage wrote."""
    readers = {topic: Decoder(str(BY_NAME[topic].record), REGISTRY) for topic in OUTPUTS.values()}
    found = []
    for out in outs:
        record = readers[out.topic].decode(out.value)
        assert not isinstance(record, Rejection), record
        assert out.key == record["person"].encode()
        found.append((out.topic, record))
    return found


def held(records: Iterable[tuple[str, Record]]) -> Held:
    """What a consumer holds after reading all of it: the newest version by key, without what was retracted, without versions."""
    newest: Held = {topic: {} for topic in KEYS}
    for topic, record in records:
        key = tuple(record[name] for name in KEYS[topic])
        before = newest[topic].get(key)
        assert before is None or before["version"] < record["version"] or before == record, "a version says one thing"
        newest[topic][key] = record
    return {
        topic: {key: _bare(record) for key, record in of_topic.items() if not record["retracted"]}
        for topic, of_topic in newest.items()
    }


def _bare(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "version"}


def split(items: list[Any], cuts: Iterable[int]) -> list[list[Any]]:
    """The items in batches that begin at the cuts."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(items)}), len(items)]
    return [items[low:high] for low, high in pairwise(edges) if low < high]


CUTS: Final = st.lists(st.integers(1, 40), max_size=6)


@st.composite
def histories(draw: st.DrawFn, span: int = 450_000, most: int = 25) -> list[Record]:
    """Touchpoints of a few people within `span` milliseconds, event ids distinct, in order of occurrence."""
    times = draw(st.lists(st.integers(0, span), min_size=1, max_size=most))
    return [
        touchpoint(
            event_id=f"e-{number}",
            occurred_at=NOW + at,
            channel=draw(st.sampled_from(("web", "call"))),
            identifiers=[{"namespace": "customer", "value": draw(st.sampled_from(("ann", "bob")))}],
            source_session=draw(st.sampled_from((None, None, None, "s-1", "s-2"))),
            actor_type=draw(st.sampled_from(("customer", "customer", "device"))),
            answer=draw(st.none() | st.builds(answer, st.integers(0, 10))),
            amount=draw(st.none() | AMOUNTS),
        )
        for number, at in enumerate(sorted(times))
    ]


AMOUNTS: Final = st.fixed_dictionaries(
    {"currency": st.sampled_from(("EUR", "JPY")), "minor_units": st.integers(-10_000, 10_000)}
)

TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_SIMPLE: Final[dict[str, st.SearchStrategy[Any]]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": TEXT,
    "bytes": st.binary(max_size=12),
}


def any_record(name: str) -> st.SearchStrategy[Record]:
    """Anything at all that fits the newest schema of a record, sensible or not."""
    return _any_of(plain(load(name)))


def _any_of(node: Any) -> st.SearchStrategy[Any]:
    if isinstance(node, list):
        return st.one_of([_any_of(branch) for branch in node])
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: _any_of(field["type"]) for field in node["fields"]})
    if kind == "enum":
        return st.sampled_from(node["symbols"])
    if kind == "array":
        return st.lists(_any_of(node["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(TEXT, _any_of(node["values"]), max_size=3)
    return _SIMPLE[kind] if isinstance(kind, str) else _any_of(kind)
