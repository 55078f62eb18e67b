"""Kafka's client for records that must be stored in order and once: how it is made, connected, and left."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

RETRY_S: Final = 0.2


def idempotent(bootstrap: str, timeout_s: float, batch_bytes: int) -> Any:
    """A client, not yet connected, whose records are acknowledged by all replicas within `timeout_s` seconds, or fail."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id="touchstream",
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        max_batch_size=batch_bytes,
        # aiokafka also gives a batch up that has waited so long for its partition to have a leader again.
        request_timeout_ms=int(1000 * timeout_s),
    )


async def connect(client: Any) -> None:
    """Until a broker answers; whoever has no patience cancels it."""
    while True:
        try:
            await client.start()
            return
        except KafkaError:
            await asyncio.sleep(RETRY_S)


async def abandon(client: Any) -> None:
    """Stop without waiting for Kafka: an idempotent client's own stop() retries what is left for ever."""
    client._closed = True
    sender = client._sender.sender_task
    for _ in range(2):  # the second cancellation reaches the requests that the first one waits for
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=RETRY_S)
    await client.client.close()
