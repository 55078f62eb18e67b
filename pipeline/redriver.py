"""Sends rejected records again, each at most once, whenever the process dies.

A record and its entry in the topic of redrives go out in one transaction, under one transactional id for the whole installation. So
whoever begins fences whoever is at work, then reads what has been sent, and nothing is added to that but by itself.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from pipeline import crash, endpoints, rawlog
from pipeline.config import Settings
from pipeline.partitions import partition_of
from pipeline.redrives import Ledger, Place, Redriven, Sendable, ledger_of
from pipeline.topics import REDRIVES

# Few enough that a transaction is short, so that readers of committed records never wait for long.
TOGETHER: Final = 500
LARGEST_BYTES: Final = 20 << 20
TIMEOUT_MS: Final = 30_000

Sent = Callable[[Place, Redriven, bool], None]


class RedriveFailed(Exception):
    """Kafka does not answer, or another redrive has begun. What was told as sent was sent. Of the rest nothing was, but for the
    last transaction where Kafka fell silent over it: the next redrive finds out, and sends nothing twice."""


def ledger(settings: Settings) -> Ledger:
    """What has been sent again so far. Raises NotRunning, RawLogError."""
    return ledger_of(rawlog.read(endpoints.kafka(settings), [settings.topic_prefix + REDRIVES]).records)


def redrive(
    settings: Settings,
    chunks: Iterable[Sequence[Sendable]],
    now: Callable[[], int],
    sent: Sent,
) -> None:
    """Send each record to its topic, unless it has been sent before; `sent` hears of each, and whether it was sent only now.

    A chunk is one transaction. `now` gives milliseconds since epoch, UTC. Raises RedriveFailed, NotRunning, RawLogError, and what
    `chunks` raises.
    """
    work = _Redrive(settings, now, sent)
    try:
        asyncio.run(work.run(chunks))
    except (ProducerFenced, IllegalOperation) as error:
        raise RedriveFailed("another redrive has begun; begin again when it is done") from error
    except (KafkaError, OSError) as error:
        raise RedriveFailed(
            f"Kafka at {endpoints.kafka(settings)} does not answer: {error}; begin again when it does, nothing is sent twice"
        ) from error


class _Redrive:
    def __init__(self, settings: Settings, now: Callable[[], int], sent: Sent) -> None:
        self._settings = settings
        self._now = now
        self._sent = sent
        self._producer: Any = None

    async def run(self, chunks: Iterable[Sequence[Sendable]]) -> None:
        bootstrap, prefix = endpoints.kafka(self._settings), self._settings.topic_prefix
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=f"{prefix}redrive",
            transaction_timeout_ms=TIMEOUT_MS,
            max_request_size=LARGEST_BYTES,
            compression_type="zstd",
        )
        try:
            await asyncio.wait_for(self._producer.start(), TIMEOUT_MS / 1000)
            crash.here("redrive", "fenced")
            known = ledger_of((await rawlog.read_now(bootstrap, [prefix + REDRIVES])).records)
            for chunk in chunks:
                for one in chunk:
                    if one.place in known:
                        self._sent(one.place, known[one.place], False)
                new = [one for one in chunk if one.place not in known]
                if new:
                    known |= await self._together(new)
        finally:
            await self._producer.stop()

    async def _together(self, records: Sequence[Sendable]) -> Ledger:
        async with self._producer.transaction():
            answers = await asyncio.gather(*[await self._send(one) for one in records])
            done = [
                (one.place, Redriven(self._now(), Place(at.topic, at.partition, at.offset), one.patched))
                for one, at in zip(records, answers, strict=True)
            ]
            crash.here("redrive", "sent")
            name = self._settings.topic_prefix + REDRIVES
            entries = [
                await self._producer.send(name, entry.entry(), key=str(place).encode(), partition=0)
                for place, entry in done
            ]
            await asyncio.gather(*entries)
            crash.here("redrive", "noted")
        crash.here("redrive", "committed")
        for place, entry in done:
            self._sent(place, entry, True)
        return dict(done)

    async def _send(self, one: Sendable) -> Any:
        partition = partition_of(one.key, self._settings.topic_partitions)
        return await self._producer.send(one.place.topic, one.value, key=one.key, partition=partition)
