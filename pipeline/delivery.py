"""Bytes onto Kafka in batches of our own: idempotent, in order, with an end to the waiting. Knows nothing of touchpoints."""

import asyncio
import time
from collections import deque
from functools import partial
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from aiokafka.errors import KafkaError, KafkaTimeoutError

from pipeline.producer import abandon, connect, idempotent

_BATCH_BYTES: Final = 256 * 1024
LINGER_S: Final = 0.02
Address = tuple[str, int]
"""A topic's full name and a partition."""


class ProduceError(ConnectionError):
    """Some records were not acknowledged in time. Whether the broker stored them is not known."""


class Delivery:
    """Sends records idempotently, acknowledged by all replicas. An async context manager.

    A record waits up to `linger_s` seconds for others of its partition: each batch costs the broker and every reader the same.

    Leaving it normally flushes and raises ProduceError when something stayed unacknowledged; leaving it by an exception
    does not wait. After the first ProduceError every further call raises the same. Entering raises ProduceError when no
    broker answers for `timeout_s` seconds.
    """

    def __init__(self, bootstrap: str, timeout_s: float, linger_s: float = LINGER_S) -> None:
        self._bootstrap = bootstrap
        self._timeout_s = timeout_s
        self._linger_s = linger_s
        self.sent = self.acknowledged = 0
        self._failed: ProduceError | None = None
        self._open: dict[Address, Any] = {}
        self._turns: dict[Address, asyncio.Lock] = {}
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()

    async def __aenter__(self) -> Self:
        self._kafka = idempotent(self._bootstrap, self._timeout_s, _BATCH_BYTES)
        try:
            await self._connect()
        except BaseException:
            await abandon(self._kafka)
            raise
        self._lingering = asyncio.create_task(self._linger())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.flush()
        finally:
            self._lingering.cancel()
            self._settle()
            if self._waiting or self._failed:
                await abandon(self._kafka)
            else:
                await self._kafka.stop()

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises ProduceError when it is not there."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return len(await self._kafka.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            self._fail(f"Kafka has no topic {topic} ({type(error).__name__}): `touchstream topics apply` makes it")

    async def add(self, address: Address, key: bytes | None, value: bytes | None) -> None:
        """Take one record; waits while the broker is behind. Raises ProduceError."""
        self._raise_failure()
        batch = self._open.get(address)
        while batch is None or batch.append(timestamp=None, key=key, value=value) is None:
            if batch is not None:
                await self._submit(address)
            batch = self._open.get(address) or self._open.setdefault(address, self._kafka.create_batch())
        self.sent += 1

    async def flush(self) -> None:
        """Wait until everything taken is acknowledged. Raises ProduceError after the timeout."""
        for address in {*self._open, *self._turns}:
            await self._submit(address)
        while self._waiting:
            since, future = self._waiting[0]
            await asyncio.wait([future], timeout=max(0.0, since + self._timeout_s - time.monotonic()))
            self._settle()
            self._raise_failure()
        self._raise_failure()

    async def _submit(self, address: Address) -> None:
        """Hand the open batch of a partition to Kafka's client: one at a time, so that batches keep their order."""
        async with self._turns.setdefault(address, asyncio.Lock()):
            batch = self._open.pop(address, None)
            if batch is None:
                return
            batch.close()
            since = time.monotonic()
            future = await self._enqueue(batch, address, since + self._timeout_s)
            self._waiting.append((since, future))
            future.add_done_callback(partial(self._done, batch.record_count()))

    async def _enqueue(self, batch: Any, address: Address, deadline: float) -> asyncio.Future[Any]:
        while True:
            self._raise_failure()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    future: asyncio.Future[Any] = await self._kafka.send_batch(batch, address[0], partition=address[1])
                    return future
            except KafkaTimeoutError:
                continue
            except TimeoutError:
                self._fail(f"Kafka acknowledged nothing for {self._timeout_s:g} s")
            except KafkaError as error:
                self._fail(f"Kafka refused a batch for {address[0]} ({type(error).__name__})")

    def _done(self, records: int, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self.acknowledged += records
        elif self._failed is None:
            self._failed = self._error(f"Kafka refused a batch ({type(error).__name__})")

    def _settle(self) -> None:
        """Forget what is done, and give up when the oldest batch in flight is too old."""
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        if self._waiting and time.monotonic() >= self._waiting[0][0] + self._timeout_s and self._failed is None:
            self._failed = self._error(f"Kafka acknowledged nothing for {self._timeout_s:g} s")

    async def _linger(self) -> None:
        while self._failed is None:
            await asyncio.sleep(self._linger_s)
            self._settle()
            for address in list(self._open):
                try:
                    await self._submit(address)
                except ProduceError:
                    return

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await connect(self._kafka)
        except TimeoutError:
            self._fail(f"no Kafka answered at {self._bootstrap} for {self._timeout_s:g} s")

    def _error(self, what: str) -> ProduceError:
        open_ones = self.sent - self.acknowledged
        left = f"; of {self.sent} records {self.acknowledged} are acknowledged, {open_ones} may be lost"
        return ProduceError(what + (left if self.sent else ""))

    def _fail(self, what: str) -> NoReturn:
        self._failed = self._failed or self._error(what)
        raise self._failed from None

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._failed
