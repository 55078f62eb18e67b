"""Touchpoints and bytes written straight to a topic, as somebody else's producer would."""

from typing import Any

import msgspec
from kafka import KafkaProducer

from pipeline.codec import Encoder
from pipeline.events import Identifier, Touchpoint
from schemas.registry import FileRegistry
from tests.harness.installation import Installation

LARGEST_BYTES = 15 << 20


def encoded(event_id: str, occurred_at: int, person: str, **fields: Any) -> bytes:
    """A touchpoint on the wire: a page view of the customer `person`, with other `fields` where they are given."""
    usual: dict[str, Any] = {
        "event_type": "web.page_viewed",
        "channel": "web",
        "source": "test",
        "identifiers": [Identifier("customer", person)],
    }
    touchpoint = Touchpoint(event_id=event_id, occurred_at=occurred_at, **{**usual, **fields})
    return Encoder("touchpoint", FileRegistry(), "unused").encode(msgspec.to_builtins(touchpoint))


def written(installation: Installation, topic: str, values: list[bytes | None]) -> list[tuple[int, int]]:
    """Write records wherever the client's own partitioner puts them; (partition, offset) of each."""
    producer = KafkaProducer(
        bootstrap_servers=installation.bootstrap(), acks="all", max_request_size=LARGEST_BYTES, linger_ms=5
    )
    name = installation.settings.topic_prefix + topic
    try:
        sent = [producer.send(name, value, key=None if value is not None else b"\xff\0") for value in values]
        return [(answer.partition, answer.offset) for answer in (one.get(30) for one in sent)]
    finally:
        producer.close()
