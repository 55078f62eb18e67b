"""A Faust transport that hands over what was fetched of a partition as one message, and never commits.

Faust spends about 200 microseconds on each message; a batch costs that once. Offsets are committed by the stage's transactions
and by nobody else. Every batch is numbered within an epoch of its partition, so that one which Faust drops on the way is noticed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, cast

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from pipeline.events import Origin, Raw
from processors.rejects import attempt_of

# Of a fetch, while records come: least bytes. And after a silence: longest wait in milliseconds.
BUSY_BYTES: Final = 1 << 20
QUIET_MS: Final = 1000


class Batch(NamedTuple):
    """Consecutive records of one partition. `sequence` counts from 0 in each epoch; a new epoch begins with every seek."""

    epoch: int
    sequence: int
    records: list[Raw]


class _Fetched(OrderedDict[TopicPartition, Any]):
    """In place of aiokafka's note of what it has fetched: the records come out as the stages take them, at a third of the cost."""

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):
            fetched._partition_records._consumer_record = _raw
        super().__setitem__(tp, fetched)


def _raw(tp: TopicPartition, record: Any) -> Raw:
    origin, headers = Origin(tp.topic, tp.partition, record.offset, record.timestamp), record.headers
    if headers:
        return Raw(origin, record.key, record.value, attempt_of(headers))
    return Raw(origin, record.key, record.value)


def _gather(fetcher: Any, wait_ms: int, *, busy: bool) -> None:
    """Ask for all that comes within `wait_ms` while records come, and for the first one at once after a silence."""
    fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = (BUSY_BYTES, wait_ms) if busy else (1, QUIET_MS)


class Interval(Protocol):
    """How far apart a lane's transactions begin at least."""

    @property
    def interval_s(self) -> float:
        """In seconds. For as long records may gather before they are fetched."""


class Takes(Protocol):
    """Who takes what is fetched, at which pace, and must let go before a rebalance."""

    @property
    def pace(self) -> Interval:
        """The pace of every lane."""

    def let_go(self) -> None:
        """Take nothing new."""


class HasStage(Protocol):
    """What this transport asks of the Faust application that it serves."""

    stage: Takes


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs in the consumer's own thread and loop; fetches, seeks and numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epoch: dict[TopicPartition, int] = {}
        self._sequence: dict[TopicPartition, int] = {}
        self._last_assignment: Any = None
        self._gather_ms = round(1000 * cast("HasStage", self.consumer.app).stage.pace.interval_s)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust offers read_committed only together with its own exactly-once mode, which loses data.
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start the consumer; nothing is fetched before it has subscribed."""
        await super().on_start()
        self._ensure_consumer()._fetcher._records = _Fetched()

    def _begin_epoch(self, tp: TopicPartition) -> None:
        self._epoch[tp] = self._epoch.get(tp, 0) + 1
        self._sequence[tp] = -1

    async def _fetch_records(  # type: ignore[override]
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> dict[TP, Batch]:
        fetched = await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)
        _gather(consumer._fetcher, self._gather_ms, busy=bool(fetched))
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription else None
        if assignment is not self._last_assignment:
            self._last_assignment = assignment
            for tp in assignment.tps if assignment else ():
                self._begin_epoch(tp)
        found = {}
        for tp, records in fetched.items():
            self._sequence[tp] = self._sequence.get(tp, -1) + 1
            found[TP(*tp)] = Batch(self._epoch.get(tp, 0), self._sequence[tp], records)
        return found

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Put every partition to its committed offset, or to its beginning where nothing is committed."""
        found: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def _seek_to_committed(self) -> dict[TP, int]:
        consumer, found = self._ensure_consumer(), {}
        for tp in consumer.assignment():
            offset = await consumer.committed(tp)
            if offset is None:  # aiokafka's own method would leave the position where it is, behind fetched records
                offset = (await consumer.beginning_offsets([tp]))[tp]
            self._seek_now(consumer, tp, offset)
            found[TP(*tp)] = offset
        return found

    async def rewind(self, tp: TopicPartition, offset: int, after_s: float = 0.0) -> None:
        """Fetch this partition from `offset` on, if it is still ours; with `after_s` not before so many seconds have passed."""

        async def go() -> None:
            consumer = self._ensure_consumer()
            if tp in consumer.assignment():
                self._seek_now(consumer, tp, offset)
                if after_s:
                    consumer.pause(tp)
                    asyncio.get_running_loop().call_later(after_s, self._resume, consumer, tp)

        await self.call_thread(go)

    def _resume(self, consumer: Any, tp: TopicPartition) -> None:
        if tp in consumer.assignment():
            consumer.resume(tp)

    def _seek_now(self, consumer: Any, tp: TopicPartition, offset: int) -> None:
        consumer._fetcher.seek_to(tp, offset)
        self._begin_epoch(tp)  # in one step with the seek, so that nothing fetched before it carries the new epoch


class _Forgetful(dict[Any, Any]):
    """In place of Faust's note of what was read last: by it, whatever comes again after a seek back would be dropped."""

    def __getitem__(self, key: Any) -> None:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Remember nothing."""


class Consumer(driver.Consumer):
    """Faust's consumer with batches for messages, and without commits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _Forgetful()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing. Every path of Faust's own commits leads through here: its compiled stream iterator inlines `ack`, so
        overriding that would not do, and the commit timer would move the group's offset back."""
        for tp in list(self._acked):
            self._acked[tp].clear()
            self._acked_index[tp].clear()
        return False

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return False

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Report nothing: Faust's look for stalls waits for commits of its own, so it would cry wolf every few seconds."""

    def on_buffer_full(self, tp: TP) -> None:
        """The full queue itself holds the fetcher back; taking the partition off the list would cost a second's sleep."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetched batches as messages. Whatever is dropped because of a rebalance is fetched again after a seek."""
        generation = (
            self.app.consumer_generation_id
        )  # before the fetch: what a fetch of the old assignment returns is not ours
        batches, _ = await self._wait_next_records(timeout)
        if batches is None or self.should_stop:
            return
        for tp, batch in cast("dict[TP, Batch]", batches).items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                await self.perform_seek()
                return
            yield tp, self._message(tp, batch, generation)

    def _message(self, tp: TP, batch: Batch, generation: int) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.origin.offset,
            last.origin.arrived_at / 1000.0,
            0,
            [],
            None,
            cast("bytes", batch),  # Faust passes a raw value on untouched, whatever it is
            None,
            0,
            len(batch.records),
            tp,
            generation_id=generation,
        )

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        """Lanes let go first: Faust is about to wait for its agents, and they may be waiting for a lane."""
        cast("HasStage", self.app).stage.let_go()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Seek to what is committed. If a rebalance interrupts it, its end seeks again."""
        try:
            await self.seek_to_committed()
        except KafkaError as error:
            self.log.info("seek interrupted: %r", error)


class Transport(driver.Transport):
    """What the entry point names."""

    Consumer = Consumer
