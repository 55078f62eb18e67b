"""A sink of the test's own on real servers: its topics, its tables, what is written for it, and its life in a thread."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from pipeline import endpoints, supervisor
from pipeline.codec import codec_named
from pipeline.config import Settings, installation_secret
from pipeline.events import Amount, Answer, Identifier, Origin, Out, Raw
from pipeline.keys import Keyring
from pipeline.partitions import partition_of
from pipeline.topics import RESOLVED, SOURCES
from processors import agents
from processors.journey import JourneyFold
from processors.store import Store
from schemas.registry import FileRegistry
from sinks.clickhouse import ClickHouse
from sinks.consumer import USUAL_TOLERANCE, Sink
from sinks.decisions import Tolerance
from sinks.ranges import Limits
from sinks.reader import Reader
from sinks.rows import TABLES
from sinks.subscription import SinkNames
from tests.harness.records import encoded
from tests.harness.waiting import until

SESSION_TIMEOUT_S = 3.0
FETCH_BYTES = 64 << 10
LIMITS = Limits(records=200, linger_ms=100)


@dataclass(slots=True)
class Bench:
    """Topics under a prefix and tables in a database of the test's own; `settings` name both."""

    settings: Settings
    written: int = 0
    _numbers: Any = field(default_factory=itertools.count)

    def prepare(self) -> "Bench":
        """Make topics and tables."""
        supervisor.prepare(self.settings)
        return self

    def write(self, touchpoints: int) -> int:
        """What resolve and journey would write for so many touchpoints, and a rejected record for each ten of them. Returns how
        many bytes that is."""
        resolve, journey = (
            agents.resolve(self.settings).new_fold(Store()),
            agents.journey(self.settings).new_fold(Store()),
        )
        raws = [self._raw(next(self._numbers)) for _ in range(touchpoints)]
        outs = resolve.fold(raws)
        assert isinstance(journey, JourneyFold)
        for partition in range(self.settings.topic_partitions):
            mine = [out for out in outs if out.topic == RESOLVED and self._partition(out) == partition]
            origins = [Origin(RESOLVED, partition, n, 0) for n in range(len(mine))]
            outs += journey.fold([Raw(at, out.key, out.value) for at, out in zip(origins, mine, strict=True)])
        self.send(outs)
        self.written += touchpoints - touchpoints // 10
        return sum(len(out.value or b"") for out in outs)

    def _raw(self, number: int) -> Raw:
        now = time.time_ns() // 1_000_000
        value = encoded(
            f"event-{number}",
            now,
            f"person-{number % 7}",
            identifiers=[] if number % 10 == 9 else [Identifier("customer", f"person-{number % 7}")],
            answer=Answer("q", "nps", 0, 10, number % 11) if number % 5 == 0 else None,
            amount=Amount("EUR", number) if number % 3 == 0 else None,
        )
        home = self._of(Keyring(installation_secret(self.settings)).cell("customer", f"person-{number % 7}").encode())
        return Raw(Origin(self.settings.topic_prefix + SOURCES[1], home, number, now), None, value)

    def _partition(self, out: Out) -> int:
        return self._of(out.key or b"")

    def _of(self, key: bytes) -> int:
        return partition_of(key, self.settings.topic_partitions)

    def send(self, outs: list[Out]) -> None:
        """Write records to their topics."""
        producer = KafkaProducer(bootstrap_servers=endpoints.kafka(self.settings), acks="all", linger_ms=5)
        for out in outs:
            name, where = self.settings.topic_prefix + out.topic, self._partition(out)
            producer.send(name, key=out.key, value=out.value, headers=list(out.headers), partition=where)
        producer.flush(60)
        producer.close()

    def names(self) -> SinkNames:
        """Where its sinks read."""
        prefix = self.settings.topic_prefix
        return SinkNames(endpoints.kafka(self.settings), f"{prefix}sink", prefix, SESSION_TIMEOUT_S, FETCH_BYTES)

    def new(
        self,
        kind: type[Sink] = Sink,
        database: ClickHouse | None = None,
        group: str = "",
        tolerance: Tolerance = USUAL_TOLERANCE,
    ) -> Sink:
        """A sink, not begun."""
        names = replace(self.names(), group=group or self.names().group)
        reader = Reader(names.prefix, FileRegistry(), codec_named("auto"))
        return kind(names, database or ClickHouse(self.settings), reader, LIMITS, tolerance)

    def committed(self, group: str = "") -> dict[TopicPartition, tuple[int, str]]:
        """Offset and metadata of every partition for which the sinks have committed one."""
        consumer = KafkaConsumer(bootstrap_servers=endpoints.kafka(self.settings), group_id=group or self.names().group)
        tps = [
            TopicPartition(self.settings.topic_prefix + topic, p)
            for topic in TABLES
            for p in range(self.settings.topic_partitions)
        ]
        found = {tp: consumer.committed(tp, metadata=True) for tp in tps}
        consumer.close()
        return {tp: (one.offset, one.metadata) for tp, one in found.items() if one is not None}

    def drained(self, group: str = "") -> bool:
        """Whatever is on the topics is behind the committed offsets, and no plan is left."""
        consumer = KafkaConsumer(bootstrap_servers=endpoints.kafka(self.settings))
        try:
            topics = [self.settings.topic_prefix + topic for topic in TABLES]
            ends = consumer.end_offsets(
                [TopicPartition(topic, p) for topic in topics for p in range(self.settings.topic_partitions)]
            )
        finally:
            consumer.close()
        committed = self.committed(group)
        return all(committed.get(tp) == (end, "") for tp, end in ends.items() if end)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows from the bench's own tables."""
        database = ClickHouse(self.settings)
        try:
            return database.query(sql)
        finally:
            database.close()

    def number(self, sql: str) -> int:
        """The one number that a query answers."""
        return int(self.rows(sql)[0][0])

    def stored(self) -> int:
        """Touchpoints that have been inserted; repeated ones count."""
        return self.number("SELECT count() FROM touchpoints")


class Running:
    """A sink in a thread; a context manager. `fault` is what ended it, if it was not told to end."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.fault: BaseException | None = None
        self.assignments = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.sink.run(self._stop.is_set, self._assigned)
        except BaseException as fault:  # noqa: BLE001 - the test asks for it
            self.fault = fault

    def _assigned(self) -> None:
        self.assignments += 1

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the sink does not end"

    def ended(self) -> bool:
        """It has ended by itself."""
        return not self._thread.is_alive()


def run_until(sink: Sink, done: Callable[[], bool], what: str) -> Running:
    """Run a sink until something is so, or until it ends by itself."""
    with Running(sink) as running:
        until(lambda: running.ended() or done(), 60, what)
    return running
