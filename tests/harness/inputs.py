"""Source topics on a broker for tests of the input side: made, and read back whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from pipeline import topics
from pipeline.codec import Decoder
from pipeline.config import PREFIX, Settings
from pipeline.events import Rejection, Touchpoint
from schemas.registry import FileRegistry

PARTITIONS = 4
_DECODER = Decoder("touchpoint", FileRegistry())


@dataclass(frozen=True, slots=True)
class Found:
    """One record as it lies on Kafka."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    def touchpoint(self) -> Touchpoint | Rejection:
        """The record decoded as the pipeline would."""
        decoded = _DECODER.decode(self.value)
        return decoded if isinstance(decoded, Rejection) else msgspec.convert(decoded, Touchpoint)


def settings_at(bootstrap: str, home: Path, prefix: str) -> Settings:
    """Settings for a broker and topics under a prefix, whether they exist or not."""
    values: dict[str, Any] = {"home": home, "kafka_bootstrap": bootstrap, "topic_prefix": prefix}
    return Settings(**values)


def fresh(bootstrap: str, home: Path) -> Settings:
    """Settings with source topics of the test's own on this broker."""
    prefix = f"t{uuid4().hex[:12]}."
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        config = {"message.timestamp.type": "LogAppendTime"}
        admin.create_topics([NewTopic(prefix + name, PARTITIONS, 1, topic_configs=config) for name in topics.SOURCES])
    finally:
        admin.close()
    return settings_at(bootstrap, home, prefix)


def environment(settings: Settings) -> dict[str, str]:
    """These settings as environment variables."""
    named = ("home", "kafka_bootstrap", "topic_prefix")
    return {PREFIX + name.upper(): str(getattr(settings, name)) for name in named}


def found(settings: Settings) -> list[Found]:
    """Every record that the source topics hold now, by topic, partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
    try:
        names = [settings.topic_prefix + name for name in topics.SOURCES]
        parts = [TopicPartition(name, partition) for name in names for partition in range(PARTITIONS)]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        consumer.seek_to_beginning()
        records: list[Found] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for batch in consumer.poll(timeout_ms=200).values():
                records += [Found(r.topic, r.partition, r.offset, r.key, r.value) for r in batch]
    finally:
        consumer.close()
    return sorted(records, key=lambda r: (r.topic, r.partition, r.offset))


def held(settings: Settings) -> int:
    """How many records the source topics hold now."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap)
    try:
        names = [settings.topic_prefix + name for name in topics.SOURCES]
        return sum(consumer.end_offsets([TopicPartition(n, p) for n in names for p in range(PARTITIONS)]).values())
    finally:
        consumer.close()
