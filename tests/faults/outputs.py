"""What lies on the source topics, and what the stages wrote to theirs, as a consumer of committed records sees it (I3, I4)."""

import asyncio
from collections.abc import AsyncIterator, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import accounting, rawlog
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.events import Raw, Rejection
from pipeline.topics import OUTPUTS, REJECTED, RESOLVED
from schemas.registry import FileRegistry
from sinks.rejects import STAGE as SINK

Place = tuple[str, int, int]
KEYS: Final = {
    "session": ("session_id",),
    "journey": ("journey_id",),
    "score": ("metric", "scale", "direction"),
    "customer_view": (),
}
KINDS: Final = {topic: kind for kind, topic in OUTPUTS.items()}


@dataclass(slots=True)
class Written:
    """What lies on the output topics: places resolved and rejected (with the bytes), and versions that went back.

    `refused` are places whose rows the sink has rejected: after a crash it may write one of them again.
    """

    resolved: list[Place] = field(default_factory=list)
    rejected: dict[Place, bytes | None] = field(default_factory=dict)
    refused: dict[Place, bytes] = field(default_factory=dict)
    twice: list[Place] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    records: int = 0
    _seen: set[Place] = field(default_factory=set)
    _person: dict[tuple[str, str], int] = field(default_factory=dict)
    _thing: dict[tuple[str, ...], int] = field(default_factory=dict)

    def take(self, topic: str, record: Any, decoders: Mapping[str, Decoder]) -> None:
        """Take one record; `topic` is without prefix."""
        self.records += 1
        if topic == REJECTED:
            headers = dict(record.headers)
            place = _place_of_headers(headers)
            if headers.get("__connect.errors.stage") == SINK.encode():
                self.refused[place] = record.value
                return
            if place in self.rejected:
                self.twice.append(place)
            self.rejected[place] = record.value
            return
        found = decoders[topic].decode(record.value)
        assert not isinstance(found, Rejection), f"{topic}-{record.partition}@{record.offset}: {found}"
        if topic == RESOLVED:
            place = found["source_topic"], found["source_partition"], found["source_offset"]
            if place in self._seen:
                self.twice.append(place)
            self._seen.add(place)
        else:
            self._version(KINDS[topic], found, f"{topic}-{record.partition}@{record.offset}")

    @property
    def places(self) -> set[Place]:
        """The places of resolved touchpoints."""
        return self._seen

    def _version(self, kind: str, found: dict[str, Any], where: str) -> None:
        person, version = found["person"], found["version"]
        last = self._person.get((kind, person), version)
        thing = (kind, person, *(found[name] for name in KEYS[kind]))
        if version < last or version <= self._thing.get(thing, version - 1):
            self.back.append(f"{where}: version {version} after {max(last, self._thing.get(thing, 0))}")
        self._person[kind, person] = max(version, last)
        self._thing[thing] = version


@dataclass(frozen=True, slots=True)
class Sources:
    """Every place on the source topics, and the bytes at some of them."""

    places: set[Place]
    values: dict[Place, bytes]


def sources(settings: Settings, wanted: Container[Place]) -> Sources:
    """Read the source topics to their ends, in parts; the bytes of `wanted` places are kept."""
    found = Sources(set(), {})

    def take(chunk: list[Raw]) -> None:
        for raw in chunk:
            place = raw.origin.topic, raw.origin.partition, raw.origin.offset
            found.places.add(place)
            if place in wanted:
                found.values[place] = raw.value or b""

    rawlog.each(str(settings.kafka_bootstrap), accounting.ends(settings), take)
    return found


def _place_of_headers(headers: Mapping[str, bytes]) -> Place:
    text = {name: value.decode() for name, value in headers.items()}
    return (
        text["__connect.errors.topic"],
        int(text["__connect.errors.partition"]),
        int(text["__connect.errors.offset"]),
    )


def written(settings: Settings) -> Written:
    """Read all output topics to their ends."""
    return asyncio.run(_written(settings))


async def _written(settings: Settings) -> Written:
    registry = FileRegistry()
    decoders = {topic: Decoder(kind, registry) for topic, kind in KINDS.items()}
    decoders[RESOLVED] = Decoder("resolved_touchpoint", registry)
    found = Written()
    prefix = settings.topic_prefix
    async for record in _records(settings, [prefix + topic for topic in (RESOLVED, REJECTED, *KINDS)]):
        found.take(record.topic.removeprefix(prefix), record, decoders)
    return found


async def _records(settings: Settings, topics: list[str]) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for topic in topics for p in range(settings.topic_partitions)]
        ends = await consumer.end_offsets(tps)
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        open_tps = {tp for tp in tps if ends[tp]}
        while open_tps:
            for records in (await consumer.getmany(*open_tps, timeout_ms=500)).values():
                for record in records:
                    yield record
            open_tps = {tp for tp in open_tps if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()
