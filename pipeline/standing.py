"""Where a group stands, seen from outside: what waits in its partitions, and since when. One connection, many looks."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

logger = logging.getLogger("touchstream.standing")
# What aiokafka raises when the broker is away or has moved on; TimeoutError is an OSError.
TROUBLE: Final = (KafkaError, OSError, AssertionError)
STOP_TIMEOUT_S: Final = 3.0
REQUEST_TIMEOUT_MS: Final = 5_000
READ_MS: Final = 500
Place = tuple[str, int]


class Unanswered(ConnectionError):
    """Kafka does not answer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition: the group's next offset, how many offsets lie before it up to the end, and when the first record there was
    written (milliseconds since epoch; None when no record waits). Transaction markers take offsets, too."""

    committed: int
    waiting: int
    oldest_ms: int | None


class Onlooker:
    """Looks at a group's partitions without being a member of it. An async context manager; entering raises Unanswered."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_partition_fetch_bytes=1,  # the broker gives at least one batch, and one record is all that is looked at
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except TROUBLE as error:
            await self._hang_up()
            raise self._unanswered(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    async def _hang_up(self) -> None:
        """Within a bound, whatever it says: while the broker is away, aiokafka lets cancellations of its own tasks through."""
        stopping = asyncio.ensure_future(self._consumer.stop())
        await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
        if not stopping.done():
            stopping.cancel()
        elif not stopping.cancelled() and (error := stopping.exception()) is not None:
            logger.debug("hanging up: %r", error)

    async def look(self, places: Collection[Place]) -> dict[Place, Standing]:
        """How each of these partitions stands now. Raises Unanswered."""
        try:
            async with asyncio.timeout(2 * REQUEST_TIMEOUT_MS / 1000):
                return await self._look([TopicPartition(*place) for place in sorted(places)])
        except TROUBLE as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> Unanswered:
        return Unanswered(f"Kafka at {self._bootstrap} does not answer: {str(error) or type(error).__name__}")

    async def _look(self, tps: list[TopicPartition]) -> dict[Place, Standing]:
        consumer = self._consumer
        if not tps:
            return {}
        consumer.assign(tps)
        consumer.pause(*tps)
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        stored = await asyncio.gather(*(consumer.committed(tp) for tp in tps))
        committed = {tp: max(offset or 0, begins[tp]) for tp, offset in zip(tps, stored, strict=True)}
        found = {}
        for tp in tps:
            waiting, oldest = max(0, ends[tp] - committed[tp]), None
            if waiting:
                oldest, empty = await self._oldest(tp, committed[tp], ends[tp])
                waiting = 0 if empty else waiting
            found[tp.topic, tp.partition] = Standing(committed[tp], waiting, oldest)
        consumer.unsubscribe()
        return found

    async def _oldest(self, tp: TopicPartition, offset: int, end: int) -> tuple[int | None, bool]:
        """When the first record from `offset` on was written, and whether it is certain that there is none before `end`."""
        consumer = self._consumer
        consumer.seek(tp, offset)
        consumer.resume(tp)
        try:
            found = await consumer.getmany(tp, timeout_ms=READ_MS, max_records=1)
            for record in found.get(tp, []):
                return (record.timestamp, False) if record.offset < end else (None, True)
            return None, await consumer.position(tp) >= end
        finally:
            consumer.pause(tp)
