"""Watches a run while it goes on: committed offsets against ClickHouse and the log (I5), and what processes take (I6)."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.topics import RESOLVED
from sinks.clickhouse import Unavailable
from sinks.rows import TABLES
from tests.faults.refusals import id_of
from tests.harness.rig import Rig

EVERY_S: Final = 0.7
PATIENCE_S: Final = 8.0
MEBI: Final = 1 << 20


@dataclass(slots=True)
class Peak:
    """The most that any life of a process has taken: bytes resident, open files, threads."""

    rss: int = 0
    fds: int = 0
    threads: int = 0

    def take(self, process: "psutil.Process") -> None:
        """Take one look."""
        with process.oneshot():
            self.rss = max(self.rss, process.memory_info().rss)
            self.fds = max(self.fds, process.num_fds())
            self.threads = max(self.threads, process.num_threads())

    def __str__(self) -> str:
        return f"{self.rss // MEBI} MiB, {self.fds} files, {self.threads} threads"


@dataclass(slots=True)
class Watch:
    """Samples in a thread; a context manager. What broke is in `broken`; `samples` and `missed` count moments.

    `is_refused` tells the ids of events that ClickHouse is made to refuse: these need not be there.
    """

    rig: Rig
    is_refused: Callable[[str], bool] = lambda _: False
    every_s: float = EVERY_S
    samples: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)
    peaks: dict[str, Peak] = field(default_factory=dict)
    faults: list[BaseException] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(60)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.every_s):
                self._weigh()
                try:
                    asyncio.run(asyncio.wait_for(self._sample(), PATIENCE_S))
                    self.samples += 1
                except (KafkaError, Unavailable, OSError, TimeoutError):
                    self.missed += 1  # a server is away, so there is nothing to compare at this moment
        except BaseException as fault:  # noqa: BLE001 - told by the invariants, in the test's own thread
            self.faults.append(fault)

    def _weigh(self) -> None:
        for name, processes in self.rig.keeper.processes().items():
            for process in processes:
                try:
                    self.peaks.setdefault(name, Peak()).take(process)
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue

    async def _sample(self) -> None:
        settings = self.rig.settings
        prefix = settings.topic_prefix
        tps = [TopicPartition(prefix + topic, p) for topic in TABLES for p in range(settings.topic_partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.rig.bootstrap,
            group_id=f"{prefix}sink",
            enable_auto_commit=False,
            isolation_level="read_committed",
            request_timeout_ms=int(PATIENCE_S * 1000),
        )
        try:
            await consumer.start()
            consumer.assign(tps)
            committed = {tp: await consumer.committed(tp) or 0 for tp in tps}
            held = await asyncio.to_thread(self._held)  # each side is read after the one that it must not be behind
            ends = await consumer.end_offsets(tps)
            for tp in tps:
                stored = held.get(tp, -1) + 1
                if stored > ends[tp]:
                    self.broken.append(f"{tp}: ClickHouse holds {stored - 1}, committed records end at {ends[tp]}")
                if committed[tp] > stored and await self._records_between(consumer, tp, stored, committed[tp]):
                    self.broken.append(
                        f"{tp}: committed {committed[tp]}, ClickHouse holds no record after {stored - 1}"
                    )
        finally:
            await consumer.stop()

    def _held(self) -> dict[TopicPartition, int]:
        parts = [
            f"SELECT _topic, _partition, max(_offset) FROM {t.name} GROUP BY _topic, _partition"
            for t in TABLES.values()
        ]
        return {TopicPartition(topic, p): last for topic, p, last in self.rig.query(" UNION ALL ".join(parts))}

    async def _records_between(self, consumer: Any, tp: TopicPartition, first: int, end: int) -> bool:
        """Whether a record that should be stored lies in [first, end), and not only the markers of transactions."""
        consumer.seek(tp, first)
        resolved = tp.topic == self.rig.settings.topic_prefix + RESOLVED
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=300)).values():
                for record in records:
                    if record.offset < end and not (resolved and self.is_refused(id_of(record.value))):
                        return True
        return False
