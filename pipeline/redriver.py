"""Sends rejected records again, each at most once, whenever the process dies.

A record and its entry in the topic of redrives go out in one transaction, under one transactional id for the whole installation. So
whoever begins fences whoever is at work, then reads what has been sent, and nothing is added to that but by itself.

A record that must not come after a newer one of its kind goes alone. Once it is written, and its place in the order of its
partition is settled, everything before it is looked at. The transaction is committed only if nothing newer is there, not even
of a transaction that is still open: so nothing newer can slip in between the look and the sending.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from pipeline import crash, endpoints, rawlog
from pipeline.config import Settings
from pipeline.partitions import partition_of
from pipeline.rawlog import RawLog
from pipeline.redrives import (
    Along,
    Before,
    Ledger,
    LedgerUnreadable,
    Place,
    Redriven,
    Sendable,
    attempt,
    before_of,
    ledger_of,
)
from pipeline.topics import REDRIVES
from processors.rejects import ATTEMPT

# Few enough that a transaction is short, so that readers of committed records never wait for long.
TOGETHER: Final = 500
LARGEST_BYTES: Final = 20 << 20
TIMEOUT_MS: Final = 30_000

Heard = Callable[[Place, Redriven | None, bool], None]
"""What became of a place: sent, and whether only now; or None where a newer record has overtaken it."""


class RedriveFailed(Exception):
    """Kafka does not answer, or another redrive has begun. What was told as sent was sent. Of the rest nothing was, but for the
    last transaction where Kafka fell silent over it: the next redrive finds out, and sends nothing twice."""


class OtherBegun(RedriveFailed):
    """Another redrive has begun, in this process or another."""


class _Overtaken(Exception):
    """Something newer lies before what was sent; its transaction is aborted."""


def is_overtaken(settings: Settings, one: Sendable) -> bool:
    """Whether a newer record of the same thing lies on the topic by now. Raises NotRunning, RawLogError, RedriveFailed."""
    if one.overtaken is None:
        return False
    bootstrap, place = endpoints.kafka(settings), one.place
    try:
        found, _ = asyncio.run(
            rawlog.holds(bootstrap, place.topic, place.partition, (place.offset + 1, None), one.overtaken)
        )
    except (KafkaError, OSError) as error:
        raise RedriveFailed(f"Kafka at {bootstrap} does not answer: {error}") from error
    return found


def ledger(settings: Settings) -> Ledger:
    """What has been sent again so far. Raises NotRunning, RawLogError, RedriveFailed."""
    return _known(rawlog.read(endpoints.kafka(settings), [settings.topic_prefix + REDRIVES]))


def redrive(
    settings: Settings,
    chunks: Iterable[Sequence[Sendable]],
    now: Callable[[], int],
    heard: Heard,
) -> None:
    """Send each record to its topic, unless it has been sent before or is overtaken; `heard` is told of each.

    A chunk is one transaction. `now` gives milliseconds since epoch, UTC. Raises RedriveFailed, NotRunning, RawLogError, and what
    `chunks` raises.
    """
    work = _Redrive(settings, now, heard)
    try:
        asyncio.run(work.run(chunks))
    except (ProducerFenced, IllegalOperation) as error:
        raise OtherBegun("another redrive has begun; begin again when it is done") from error
    except (KafkaError, OSError) as error:
        raise RedriveFailed(
            f"Kafka at {endpoints.kafka(settings)} does not answer: {error}; begin again when it does, nothing is sent twice"
        ) from error


class _Redrive:
    def __init__(self, settings: Settings, now: Callable[[], int], heard: Heard) -> None:
        self._settings = settings
        self._now = now
        self._heard = heard
        self._producer: Any = None
        self._before: Before = {}

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
            known = _known(await rawlog.read_now(bootstrap, [prefix + REDRIVES]))
            self._before = before_of(known)
            for chunk in chunks:
                for one in chunk:
                    if one.place in known:
                        self._heard(one.place, known[one.place], False)
                new = [one for one in chunk if one.place not in known]
                for records in _apart(new):
                    done = await self._together(records)
                    known |= done
                    self._before |= before_of(done)
        finally:
            await self._producer.stop()

    async def _together(self, records: Sequence[Sendable]) -> Ledger:
        try:
            looked = [await self._looked(one, one.place.offset + 1, None) for one in records]
            return await self._transact(records, looked)
        except _Overtaken:
            (one,) = records
            self._heard(one.place, None, True)
            return {}

    async def _looked(self, one: Sendable, first: int, end: int | None) -> int:
        """Where the look for something newer ended. Raises _Overtaken."""
        if one.overtaken is None:
            return 0
        where = (one.place.topic, one.place.partition)
        found, upto = await rawlog.holds(endpoints.kafka(self._settings), *where, (first, end), one.overtaken)
        if found:
            raise _Overtaken
        return upto

    async def _transact(self, records: Sequence[Sendable], looked: Sequence[int]) -> Ledger:
        async with self._producer.transaction():
            answers = await asyncio.gather(*[await self._send(one) for one in records])
            await asyncio.gather(*[await self._send_along(one, other) for one in records for other in one.along])
            for one, first, at in zip(records, looked, answers, strict=True):
                await self._looked(one, first, at.offset)
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
            self._heard(place, entry, True)
        return dict(done)

    async def _send(self, one: Sendable) -> Any:
        partition = self._own(one.key) if one.partition is None else one.partition
        headers = self._headers(one)
        return await self._producer.send(one.topic, one.value, key=one.key, partition=partition, headers=headers)

    async def _send_along(self, one: Sendable, other: Along) -> Any:
        partition, headers = self._own(other.key), self._headers(one)
        return await self._producer.send(other.topic, other.value, key=other.key, partition=partition, headers=headers)

    def _own(self, key: bytes) -> int:
        return partition_of(key, self._settings.topic_partitions)

    def _headers(self, one: Sendable) -> list[tuple[str, bytes]]:
        return [(ATTEMPT, str(attempt(one.place, self._before) + 1).encode())]


def _known(log: RawLog) -> Ledger:
    try:
        return ledger_of(log.records)
    except LedgerUnreadable as error:
        raise RedriveFailed(str(error)) from None


def _apart(records: Sequence[Sendable]) -> list[list[Sendable]]:
    """Transactions: one for all that may go together, one for each that may be overtaken."""
    free = [one for one in records if one.overtaken is None]
    return [*([free] if free else []), *([one] for one in records if one.overtaken is not None)]
