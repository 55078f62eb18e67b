"""A stage: for each partition one lane that folds batches and writes what follows from them in one transaction.

A lane opens in this order: fence the former owner, restore the state, then fold. Whatever goes wrong with Kafka, it drops
producer and state, opens again and folds the same batch again. An error in the fold itself ends the process, because going on
would lose the batch.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from pipeline import crash
from pipeline.breaker import Bounds
from pipeline.events import Out, Raw
from pipeline.meter import Meter, NoMeter
from processors.changelog import Restorable, marker, restore
from processors.inbox import Inbox, Item, Pace
from processors.stops import Stops
from processors.store import Position, ShelfDamaged
from processors.transaction import Names, Transaction
from processors.transport import Batch
from schemas.registry import RegistryUnavailable

logger = logging.getLogger("touchstream.stage")
# Together below the five seconds within which a process that is told to stop has left.
FINISH_S: Final = 2.5
CANCEL_S: Final = 0.5
CLOSE_S: Final = 1.5
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
EX_SOFTWARE: Final = 70
# What aiokafka raises when the broker is away, has moved on or has fenced us; its sender also dies of bare AssertionErrors.
KAFKA_TROUBLE: Final = (
    KafkaError,
    IllegalOperation,
    AssertionError,
    OSError,
    TimeoutError,
    RegistryUnavailable,
    ShelfDamaged,
)


class FoldFailed(Exception):
    """The fold of a batch raised something that it should not: a fault of ours, so the process ends."""


class Fold(Restorable, Protocol):
    """State and step of one partition of a stage; see `processors.resolve` and `processors.journey`.

    `counts` is what has become of the records folded so far, `rejected` how many of each source topic were rejected, `late` how
    many of each channel came later than is usual for it.
    """

    counts: Counter[str]
    rejected: Counter[str]
    late: Counter[str]

    def decode(self, batch: list[Raw]) -> Any:
        """What the bytes say; the state is not touched. Raises RegistryUnavailable."""

    def apply(self, decoded: Any) -> Any:
        """Apply what `decode` gave, in order, and say what came of it."""

    def encode(self, applied: Any) -> list[Out]:
        """What `apply` gave, as records to write."""

    def fold(self, batch: list[Raw]) -> list[Out]:
        """All three, one after the other."""

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the changelog must hear since the last call."""

    @property
    def size(self) -> int:
        """About how many bytes of memory that takes."""

    def __len__(self) -> int:
        """How many things the state holds."""


@dataclass(slots=True)
class Mark:
    """How far a lane has come with one source topic: epoch and sequence of the last batch, next offset to apply."""

    epoch: int = -1
    sequence: int = -1
    next: int = 0

    def follows(self, batch: Batch) -> bool:
        """Nothing lies between what was applied and this batch."""
        same_epoch = batch.epoch == self.epoch and batch.sequence == self.sequence + 1
        return same_epoch or (batch.epoch > self.epoch and batch.sequence == 0)


Rewind = Callable[[TopicPartition, int, float], Any]
"""Fetch a partition again from this offset on, when so many seconds have passed."""


@dataclass(slots=True)
class Stage:
    """All lanes of one process. `new_fold` makes the state of a partition, empty; `rewind` asks the transport to fetch again."""

    names: Names
    new_fold: Callable[[int], Fold]
    rewind: Rewind
    fenced_pause_s: float
    meter: Meter = field(default_factory=NoMeter)
    pace: Pace = field(default_factory=Pace)
    bounds: Bounds = field(default_factory=Bounds)
    lanes: dict[int, "Lane"] = field(default_factory=dict)

    def lane(self, partition: int) -> "Lane":
        """The lane of a partition, begun at its first mention."""
        found = self.lanes.get(partition)
        if found is None:
            found = self.lanes[partition] = Lane(self, partition)
        return found

    def let_go(self) -> None:
        """Take nothing new; free whoever waits for room in a lane."""
        for lane in self.lanes.values():
            lane.inbox.close()

    async def close(self) -> None:
        """End every lane: the transactions at hand are finished, within a bound."""
        crash.here(self.names.stage, "revoked")
        lanes = [self.lanes.pop(partition) for partition in list(self.lanes)]
        await asyncio.gather(*(lane.close() for lane in lanes))


class Lane:
    """One partition of every source topic of the stage, under one transactional producer."""

    def __init__(self, stage: Stage, partition: int) -> None:
        self.partition = partition
        self.inbox = Inbox(stage.pace)
        self._stage = stage
        self._transaction: Transaction | None = None
        self._fold: Fold | None = None
        self._marks: dict[str, Mark] = {}
        self._stops = Stops(stage.bounds)
        self._task = asyncio.create_task(self._run(), name=f"lane-{partition}")
        self._task.add_done_callback(_end_process_on_error)

    @property
    def closing(self) -> bool:
        """It takes nothing new."""
        return self.inbox.closed

    async def close(self) -> None:
        """Finish the transaction at hand, within a bound, then forget everything."""
        self.inbox.close()
        _, pending = await asyncio.wait({self._task}, timeout=FINISH_S)
        if pending:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CANCEL_S)
        await self._drop()

    async def _run(self) -> None:
        await self._guarded([])
        while not self.closing:
            await self._guarded(await self.inbox.take())

    async def _guarded(self, items: list[Item]) -> None:
        """Do it until it is done or the partition is taken away."""
        attempt = 0
        while not self.closing:
            try:
                if self._transaction is None:
                    await self._open()
                await self._apply(items)
            except KAFKA_TROUBLE as error:
                fenced = isinstance(error, ProducerFenced) or (
                    self._transaction is not None and self._transaction.fenced
                )
                log = logger.warning if attempt == 0 or fenced else logger.info
                log(
                    "partition %d: %s; trying again",
                    self.partition,
                    "fenced by a new owner" if fenced else repr(error)[:200],
                )
                self._stage.meter.retry(_cause(error, fenced=fenced))
                await self._drop()
                # Fenced means that the group has given the partition away; the rebalance that says so is on its way.
                await self._pause(self._stage.fenced_pause_s if fenced else RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                return

    async def _pause(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not self.closing and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)

    async def _open(self) -> None:
        self._transaction = Transaction(self._stage.names, self.partition)
        await self._transaction.open()
        fold, began = self._stage.new_fold(self.partition), time.monotonic()
        meter = self._stage.meter
        try:
            restored = await restore(
                self._stage.names, self.partition, fold, lambda how: meter.restoring(how.partition, how.records)
            )
        except BaseException:
            fold.store.abandon()
            raise
        meter.restored(self.partition, restored.records, time.monotonic() - began)
        meter.state(self.partition, len(fold), fold.size)
        for topic, next_offset in restored.applied.items():
            self._marks.setdefault(topic, Mark()).next = next_offset
        self._fold = fold
        logger.info(
            "partition %d: open, %d in state, %d changelog records read", self.partition, len(fold), restored.records
        )

    async def _drop(self) -> None:
        transaction, self._transaction = self._transaction, None
        if self._fold is not None:
            self._stage.meter.closed(self.partition)
            fold, self._fold = self._fold, None
            try:
                fold.store.close(_now())
            except ShelfDamaged as error:
                logger.warning("partition %d: its state could not be saved: %s", self.partition, error)
        if transaction is not None:
            try:
                await transaction.close(CLOSE_S)
            except KAFKA_TROUBLE as error:
                logger.debug("partition %d: its producer ended with %r", self.partition, error)

    async def _apply(self, items: list[Item]) -> None:
        fresh: list[Raw] = []
        reached: dict[str, Mark] = {}
        seen: Counter[str] = Counter()
        cut: set[str] = set()
        for topic, batch in items:
            mark = reached.get(topic) or self._marks.setdefault(topic, Mark())
            if not mark.follows(batch):
                await self._refetch(topic, mark, batch)
                continue
            raws = batch.records
            if raws[0].origin.offset < mark.next:
                raws = [raw for raw in raws if raw.origin.offset >= mark.next]
            taken = [] if topic in cut else self._stops.taken(topic, raws, time.monotonic())
            if len(taken) < len(raws):
                cut.add(topic)
            fresh += taken
            seen[topic] += len(taken)
            reached[topic] = Mark(batch.epoch, batch.sequence, taken[-1].origin.offset + 1 if taken else mark.next)
        if fresh:
            crash.here(self._stage.names.stage, "fetched")
            await self._transact(fresh, reached)
        self._marks.update(reached)
        for topic in cut | self._stopped(seen):
            await self._hold(topic)

    def _stopped(self, seen: Counter[str]) -> set[str]:
        """The topics of which nothing is taken from now on, once so many records of each are applied and committed."""
        rejected = self._fold.rejected if self._fold is not None else Counter[str]()
        stopped = set()
        for topic, change in self._stops.judged(seen, rejected, time.monotonic()):
            self._stage.meter.stopped(topic, self.partition, now=change == "opened")
            if change == "opened":
                stopped.add(topic)
                logger.warning("partition %d: nothing more is taken of %s: all is rejected", self.partition, topic)
            else:
                logger.warning("partition %d: %s is taken again", self.partition, topic)
        rejected.clear()
        return stopped

    async def _hold(self, topic: str) -> None:
        """Take nothing more of this epoch, and fetch again from where we are when it may be tried."""
        mark = self._marks[topic]
        self._marks[topic] = Mark(mark.epoch, -2, mark.next)
        wait_s = self._stops.wait_s(topic, time.monotonic())
        await self._stage.rewind(TopicPartition(topic, self.partition), mark.next, wait_s)

    async def _refetch(self, topic: str, mark: Mark, batch: Batch) -> None:
        """Something between was dropped on the way: fetch again from where we are, and take nothing more of this epoch."""
        if batch.epoch > mark.epoch or mark.sequence >= 0:
            logger.info("partition %d: a batch of %s went missing on the way, fetching it again", self.partition, topic)
            self._marks[topic] = Mark(batch.epoch, -2, mark.next)
            await self._stage.rewind(TopicPartition(topic, self.partition), mark.next, 0.0)

    async def _transact(self, fresh: list[Raw], reached: dict[str, Mark]) -> None:
        fold, transaction = self._fold, self._transaction
        if fold is None or transaction is None:
            raise FoldFailed("a lane that is not open got a batch")
        stage = self._stage.names.stage
        times = [time.monotonic()]
        try:
            decoded = fold.decode(fresh)
            times.append(time.monotonic())
            crash.here(stage, "decoded")
            came = fold.apply(decoded)
            times.append(time.monotonic())
            outs = fold.encode(came)
            times.append(time.monotonic())
        except (RegistryUnavailable, ShelfDamaged):
            raise
        except Exception as error:
            raise FoldFailed(f"partition {self.partition}: {type(error).__name__}") from error
        crash.here(stage, "folded")
        applied = {topic: mark.next for topic, mark in {**self._marks, **reached}.items()}
        offsets = {TopicPartition(topic, self.partition): mark.next for topic, mark in reached.items()}
        changelog_next = await transaction.write(outs, [*fold.changes(), marker(applied)], offsets)
        fold.store.committed(Position(changelog_next, applied, _now()))
        self._measure(fold, len(fresh), [*times, time.monotonic()])

    def _measure(self, fold: Fold, records: int, times: list[float]) -> None:
        """Tell of a batch once it is committed, so that one which is tried again counts once."""
        meter = self._stage.meter
        decode_s, fold_s, encode_s, transaction_s = (end - begin for begin, end in pairwise(times))
        meter.batch(records, decode_s, fold_s, encode_s)
        meter.transaction(transaction_s, records)
        for verdict, count in fold.counts.items():
            meter.verdict(verdict, count)
        for channel, count in fold.late.items():
            meter.late(channel, count)
        fold.counts.clear()
        fold.late.clear()
        meter.state(self.partition, len(fold), fold.size)


def _cause(error: BaseException, *, fenced: bool) -> str:
    if fenced:
        return "fenced"
    return "registry" if isinstance(error, RegistryUnavailable) else "kafka"


def _now() -> int:
    return int(time.time() * 1000)


def _end_process_on_error(task: "asyncio.Task[None]") -> None:
    """A lane that dies of anything but trouble with Kafka must not leave the others running as if all were well."""
    if not task.cancelled() and task.exception() is not None:
        logger.critical("a lane died, the process ends: %r", task.exception(), exc_info=task.exception())
        os._exit(EX_SOFTWARE)
