"""Records onto Kafka for callers who are told only of what is stored: everything that they put, or an error.

Records of all callers go out together, one batch of a partition at a time: while one is on its way the next one fills. A batch that
fails ends its client, because an idempotent client with a gap in its numbers is of no use; what it held is told as not stored, and
a new client takes its place. So some of that may be stored after all: senders repeat it, and its event ids are known then.
"""

import asyncio
import logging
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from aiokafka.errors import KafkaError

from pipeline.events import Out
from pipeline.partitions import partition_of
from pipeline.producer import RETRY_S, abandon, connect, idempotent

logger = logging.getLogger("touchstream.intake")
BATCH_BYTES: Final = 256 * 1024
LINGER_S: Final = 0.005
LONGEST_PAUSE_S: Final = 2.0
WATCH_S: Final = 0.25
OVERHEAD_BYTES: Final = 100
"""What a record costs in memory beyond its own bytes, about."""
Address = tuple[str, int]


class NotDurable(ConnectionError):
    """Not everything that was put is known to be stored; `retry_after_s` says when another try may help."""

    def __init__(self, why: str, retry_after_s: int) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Outbox:
    """Takes records from many callers at once. An async context manager; entering does not wait for Kafka.

    `timeout_s` is how many seconds a record may wait for its acknowledgement; `most_bytes` how much may wait at once.
    """

    def __init__(self, bootstrap: str, topics: Iterable[str], timeout_s: float, most_bytes: int) -> None:
        self._bootstrap = bootstrap
        self._topics = list(topics)
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._session: _Session | None = None
        self.waiting_bytes = 0

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeping.cancel()
        await asyncio.wait([self._keeping])

    @property
    def is_ready(self) -> bool:
        """Whether Kafka was there a moment ago."""
        return self._session is not None

    async def put(self, records: Sequence[Out]) -> None:
        """Store the records; topics are full names. Raises NotDurable when that is not certain."""
        session = self._session
        if session is None:
            raise NotDurable("Kafka does not answer", 2)
        size = sum(len(one.key or b"") + len(one.value or b"") + OVERHEAD_BYTES for one in records)
        if self.waiting_bytes and self.waiting_bytes + size > self._most_bytes:
            raise NotDurable("Kafka takes less than what comes in", 1)
        self.waiting_bytes += size
        try:
            for stored in {session.add(one) for one in records}:
                await asyncio.shield(stored)
        except (KafkaError, _Ended) as error:
            raise NotDurable(f"Kafka did not take it ({type(error).__name__})", 2) from None
        finally:
            self.waiting_bytes -= size

    async def _keep(self) -> None:
        """One client after the other, each until it fails."""
        pause_s = RETRY_S
        while True:
            client = idempotent(self._bootstrap, self._timeout_s, BATCH_BYTES)
            try:
                await connect(client)
                partitions = {name: len(await client.partitions_for(name)) for name in self._topics}
                self._session = _Session(client, partitions, self._timeout_s)
                logger.info("Kafka is there")
                pause_s = RETRY_S
                why = await self._session.run()
                logger.warning("Kafka did not take a batch (%s); beginning anew", why)
            except KafkaError as error:
                logger.warning("Kafka is there without our topics (%s)", type(error).__name__)
            finally:
                if self._session is not None:
                    self._session.fail()
                    self._session = None
                await abandon(client)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class _Ended(Exception):
    """The client was given up before this was acknowledged."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records of one partition; `stored` is done when they are acknowledged, `since` on the loop's clock."""

    builder: Any
    stored: asyncio.Future[None]
    since: float

    def fail(self, error: BaseException) -> None:
        """Those who wait are told that it may not be stored."""
        if not self.stored.done():
            self.stored.set_exception(error)


@dataclass(slots=True)
class _Lane:
    """One partition: what fills, the oldest first, and what is on its way."""

    filling: list[_Batch] = field(default_factory=list)
    under_way: _Batch | None = None

    def batches(self) -> list[_Batch]:
        """All of them, the oldest first."""
        return [*([self.under_way] if self.under_way else []), *self.filling]


class _Session:
    """What one client does, until something fails."""

    def __init__(self, client: Any, partitions: dict[str, int], timeout_s: float) -> None:
        self._client = client
        self._partitions = partitions
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Address, _Lane] = {}
        self._dirty = asyncio.Event()
        self._why = ""

    def add(self, one: Out) -> asyncio.Future[None]:
        """The future of the batch that the record is now in."""
        # What has no key may lie anywhere. The hash of keys is slow over many bytes, and remembers them.
        partitions = self._partitions[one.topic]
        partition = partition_of(one.key, partitions) if one.key else zlib.crc32(one.value or b"") % partitions
        address = one.topic, partition
        lane = self._lanes.get(address) or self._lanes.setdefault(address, _Lane())
        headers = list(one.headers)
        if lane.filling:
            last = lane.filling[-1]
            if last.builder.append(timestamp=None, key=one.key, value=one.value, headers=headers) is not None:
                return last.stored
        batch = _Batch(self._client.create_batch(), self._loop.create_future(), self._loop.time())
        # Whoever waited may have left; what nobody waits for must not be told as a fault of this program.
        batch.stored.add_done_callback(lambda future: future.cancelled() or future.exception())
        batch.builder.append(timestamp=None, key=one.key, value=one.value, headers=headers)
        lane.filling.append(batch)
        self._dirty.set()
        return batch.stored

    async def run(self) -> str:
        """Send what fills until something fails. Returns why."""
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                await self._dirty.wait()
                await asyncio.sleep(LINGER_S)
                if self._why:
                    return self._why
                self._dirty.clear()
                for address, lane in self._lanes.items():
                    if lane.filling and lane.under_way is None:
                        await self._submit(address, lane)
        finally:
            watching.cancel()

    def fail(self) -> None:
        """Whatever is not acknowledged counts as not stored."""
        for lane in self._lanes.values():
            for batch in lane.batches():
                batch.fail(_Ended())

    async def _watch(self) -> None:
        """The client gives a batch up by itself, but not in every state that it can be in."""
        while True:
            await asyncio.sleep(WATCH_S)
            oldest = min((lane.batches()[0].since for lane in self._lanes.values() if lane.batches()), default=None)
            if oldest is not None and self._loop.time() - oldest > self._timeout_s:
                self._end(f"nothing acknowledged for {self._timeout_s:g} s")

    async def _submit(self, address: Address, lane: _Lane) -> None:
        batch = lane.under_way = lane.filling.pop(0)
        batch.builder.close()
        try:
            told = await self._client.send_batch(batch.builder, address[0], partition=address[1])
        except KafkaError as error:
            self._end(type(error).__name__)
            return
        told.add_done_callback(lambda future: self._told(lane, future))

    def _told(self, lane: _Lane, told: asyncio.Future[Any]) -> None:
        error = _Ended() if told.cancelled() else told.exception()
        if error is not None:
            self._end(type(error).__name__)
            return
        batch, lane.under_way = lane.under_way, None
        if batch is not None and not batch.stored.done():
            batch.stored.set_result(None)
        if lane.filling:
            self._dirty.set()

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._dirty.set()
