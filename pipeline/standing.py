"""Where a group stands, seen from outside: what waits in its partitions, and since when. One connection, many looks."""

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

logger = logging.getLogger("touchstream.standing")
# What aiokafka raises when the broker is away or has moved on; TimeoutError is an OSError.
TROUBLE: Final = (KafkaError, OSError, AssertionError)
STOP_TIMEOUT_S: Final = 3.0
REQUEST_TIMEOUT_MS: Final = 5_000
READ_MS: Final = 50
READ_S: Final = 3.0
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
        self._group = group
        self._empty: dict[TopicPartition, tuple[int, int]] = {}
        # Without a group of its own: a consumer that has one keeps asking for its coordinator, loudly while there is no broker.
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_partition_fetch_bytes=1,  # the broker gives at least one batch, and one record is all that is looked at
        )
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            await self._admin.start()
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
        stopping = {asyncio.ensure_future(self._consumer.stop()), asyncio.ensure_future(self._admin.close())}
        done, pending = await asyncio.wait(stopping, timeout=STOP_TIMEOUT_S)
        for task in pending:
            task.cancel()
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
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
        stored = await self._admin.list_consumer_group_offsets(self._group, partitions=tps)
        committed = {tp: max(stored[tp].offset if tp in stored else 0, begins[tp]) for tp in tps}
        found = {(tp.topic, tp.partition): Standing(committed[tp], 0, None) for tp in tps}
        asked = [tp for tp in tps if committed[tp] < ends[tp] and self._empty.get(tp) != (committed[tp], ends[tp])]
        for tp, oldest in (await self._oldest({tp: (committed[tp], ends[tp]) for tp in asked})).items():
            if oldest is None:
                self._empty[tp] = committed[tp], ends[tp]
            else:
                found[tp.topic, tp.partition] = Standing(committed[tp], ends[tp] - committed[tp], oldest)
        consumer.unsubscribe()
        return found

    async def _oldest(self, spans: dict[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, int | None]:
        """When the first record of each span of offsets was written, None where it holds no record. What cannot be read in time is
        left out, and counts as nothing waiting until the next look."""
        consumer = self._consumer
        for tp, (first, _) in spans.items():
            consumer.seek(tp, first)
        consumer.resume(*spans)
        found: dict[TopicPartition, int | None] = {}
        deadline = time.monotonic() + READ_S
        while len(found) < len(spans) and time.monotonic() < deadline:
            missing = [tp for tp in spans if tp not in found]
            for tp, records in (await consumer.getmany(*missing, timeout_ms=READ_MS)).items():
                found[tp] = records[0].timestamp if records[0].offset < spans[tp][1] else None
            for tp in missing:
                if tp not in found and await consumer.position(tp) >= spans[tp][1]:
                    found[tp] = None
        return found
