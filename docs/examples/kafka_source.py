"""A source that writes to Kafka by itself, under a key of its own, with nothing of touchstream but the schema.

`python docs/examples/kafka_source.py HOST:PORT SCHEMA` sends a call; with a third argument the record goes into that file instead.
"""

import io
import json
import struct
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import fastavro
from kafka import KafkaProducer

TOPIC = "cx.touchpoints.call.v1"
SCHEMA_ID = 1  # that of touchpoint version 1 in schemas/registry.toml, or what your registry says


def record(schema: Path) -> bytes:
    """A call that has ended, in the Confluent wire format: a zero byte, the schema's id, Avro."""
    call: dict[str, Any] = {
        "event_id": str(uuid.uuid4()),
        "event_type": "call.ended",
        "channel": "call",
        "occurred_at": int(time.time() * 1000),
        "source": "pbx-north",
        "identifiers": [{"namespace": "phone", "value": "+49 30 5550 101"}],
        "outcome": "resolved",
        "duration_ms": 184_000,
    }
    out = io.BytesIO(struct.pack(">bI", 0, SCHEMA_ID))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema.read_text())), call)
    return out.getvalue()


def main(bootstrap: str, schema: str, file: str = "") -> None:
    """Send one call, or write it to a file."""
    if file:
        Path(file).write_bytes(record(Path(schema)))
        return
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    sent = producer.send(TOPIC, record(Path(schema)), key=b"whatever this source likes")
    producer.close()
    print(f"{sent.get().topic}-{sent.get().partition}@{sent.get().offset}")


if __name__ == "__main__":
    main(*sys.argv[1:])
