"""The small interface with which the shell of a stage or of the sink measures itself; pure modules know nothing of it.

The implementation for Prometheus is in `pipeline/exposition.py`, every name in `pipeline/metrics.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

# Causes that lie with a server: as long as they are told, standing still has a reason, and the log names it.
OUTAGES: Final = frozenset({"kafka", "registry", "clickhouse"})


class Meter(Protocol):
    """What the shell of a stage or of the sink tells of itself. No call blocks or raises; all may come from any thread."""

    def batch(self, records: int, decode_s: float, fold_s: float, encode_s: float) -> None:
        """A batch was applied to the state; seconds by step, 0 for a step that a stage does not have."""

    def transaction(self, seconds: float, records: int) -> None:
        """A transaction was committed: produce, offsets and commit took `seconds` for a batch of `records` source records."""

    def retry(self, reason: str = "kafka") -> None:
        """A batch is going to be tried again; `reason` is kafka, fenced or registry."""

    def restoring(self, partition: int, records: int) -> None:
        """So many changelog records of the partition have been read so far: a long restore makes progress."""

    def restored(self, partition: int, records: int, seconds: float) -> None:
        """A partition's state is back, and its lane open."""

    def closed(self, partition: int) -> None:
        """A partition's lane was closed and its state dropped."""

    def state(self, partition: int, items: int, size: int) -> None:
        """A partition's state holds so many things in so many bytes."""

    def verdict(self, verdict: str, count: int) -> None:
        """So many source records were admitted, were a `duplicate`, or were rejected for this reason."""

    def late(self, channel: str, count: int) -> None:
        """So many new touchpoints of a channel arrived later than is usual for it."""

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        """An insert was acknowledged."""

    def inserting(self, table: str) -> None:
        """An insert has begun; `inserted` or `insert_failed` follows."""

    def insert_failed(self, reason: str = "clickhouse") -> None:
        """An insert (`clickhouse`) or a commit (`commit`) failed and is going to be tried again."""

    def stopped(self, topic: str, partition: int, *, now: bool) -> None:
        """Nothing more is taken of a topic's partition because all of it was rejected, or it is taken again."""

    def rows_rejected(self, table: str, rows: int) -> None:
        """ClickHouse would not take these rows, and they were put aside."""

    def queryable(self, seconds: float) -> None:
        """The oldest touchpoint of an insert can be queried, so long after its arrival."""


@dataclass(slots=True)
class Signs:
    """Signs of life that the self-check cannot see on Kafka. Written by the process's threads, read by the self-check's.

    `restoring`: changelog records read so far by partition; `inserts`: how many inserts were acknowledged; `inserting`: one is on
    its way, and the driver sees to it that it ends; `outage_at`: when a server was last told to be away, on the monotonic clock.
    """

    restoring: dict[int, int] = field(default_factory=dict)
    inserts: int = 0
    inserting: bool = False
    outage_at: float | None = None

    def failed(self, reason: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Something is going to be tried again for this reason."""
        if reason in OUTAGES:
            self.outage_at = clock()

    def worked(self) -> None:
        """Something that needs every server worked."""
        self.outage_at = None


class NoMeter:
    """Measures nothing: for tests, benches and embedding."""

    def batch(self, records: int, decode_s: float, fold_s: float, encode_s: float) -> None:
        """See Meter."""

    def transaction(self, seconds: float, records: int) -> None:
        """See Meter."""

    def retry(self, reason: str = "kafka") -> None:
        """See Meter."""

    def restoring(self, partition: int, records: int) -> None:
        """See Meter."""

    def restored(self, partition: int, records: int, seconds: float) -> None:
        """See Meter."""

    def closed(self, partition: int) -> None:
        """See Meter."""

    def state(self, partition: int, items: int, size: int) -> None:
        """See Meter."""

    def verdict(self, verdict: str, count: int) -> None:
        """See Meter."""

    def late(self, channel: str, count: int) -> None:
        """See Meter."""

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        """See Meter."""

    def inserting(self, table: str) -> None:
        """See Meter."""

    def insert_failed(self, reason: str = "clickhouse") -> None:
        """See Meter."""

    def stopped(self, topic: str, partition: int, *, now: bool) -> None:
        """See Meter."""

    def rows_rejected(self, table: str, rows: int) -> None:
        """See Meter."""

    def queryable(self, seconds: float) -> None:
        """See Meter."""
