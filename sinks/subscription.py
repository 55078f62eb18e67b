"""The sink's place in its consumer group: how it connects, and what it is told of partitions that come and go."""

import sys
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.abstract import (
    AbstractPartitionAssignor,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)

from sinks.assignment import shared_out
from sinks.fetched import FetchedRecords

METADATA_MS: Final = 30_000
LEAST_WAIT_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class SinkNames:
    """Where the sink reads: broker, group, prefix of topics; how long it may be silent before it loses its partitions; about how
    many bytes it fetches at once; and its own name in the group, under which it takes up its partitions again."""

    bootstrap: str
    group: str
    prefix: str
    session_timeout_s: float
    fetch_bytes: int = 16 << 20
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a rebalance has taken from us or given to us."""

    revoked: frozenset[TopicPartition] = frozenset()
    assigned: frozenset[TopicPartition] = frozenset()


class UnitAssignor(AbstractPartitionAssignor):  # type: ignore[misc]
    """What the group's leader asks: `shared_out` over the group's members, those with a name of their own first."""

    name = "touchstream-units"
    version = 0

    @classmethod
    def assign(cls, cluster: Any, members: Any) -> dict[str, Any]:
        named = sorted((m.group_instance_id is None, m.group_instance_id or "", m.member_id) for m in members)
        topics = {topic for member in members for topic in member.metadata.topics}
        partitions = {topic: cluster.partitions_for_topic(topic) or () for topic in topics}
        shares = shared_out(partitions, [member for _, _, member in named])
        return {
            member: ConsumerProtocolAssignment(cls.version, sorted(share.items()), b"")
            for member, share in shares.items()
        }

    @classmethod
    def metadata(cls, topics: Any) -> Any:
        return ConsumerProtocolSubscription(cls.version, list(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: Any, generation: Any) -> None:
        pass


def connect(names: SinkNames) -> Any:
    """A consumer with no topics yet. Raises KafkaError."""
    consumer = KafkaConsumer(
        bootstrap_servers=names.bootstrap.split(","),
        group_id=names.group,
        group_instance_id=names.instance,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[UnitAssignor()],
        # A poll takes all that was fetched: kafka-python never gives out what is left of a partition's records when the
        # partition is paused between two polls, and fetches nothing more of it.
        max_poll_records=sys.maxsize,
        fetch_max_bytes=names.fetch_bytes,
        max_partition_fetch_bytes=min(4 << 20, names.fetch_bytes),
        fetch_max_wait_ms=100,
        metadata_max_age_ms=METADATA_MS,
        session_timeout_ms=int(names.session_timeout_s * 1000),
        heartbeat_interval_ms=int(names.session_timeout_s * 1000 / 3),
    )
    consumer._fetcher.PartitionRecords = FetchedRecords
    unhurry(consumer._coordinator)
    return consumer


def unhurry(coordinator: Any) -> None:
    """Have a poll wait for records for a moment, whatever else is due.

    While a heartbeat waits for its answer kafka-python takes the next one for due at once. It then polls without a pause, and each
    poll leaves a callback with the fetch that waits as well: a broker that falls silent for 30 seconds would cost 700 MB.
    """
    due = coordinator.time_to_next_poll
    coordinator.time_to_next_poll = lambda: max(due(), LEAST_WAIT_S)


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called on the client's own thread, where nothing may block: it only notes what has changed."""

    def __init__(self, changes: deque[Change], consumer: Any) -> None:
        self._changes = changes
        self._consumer = consumer

    def on_partitions_assigned(self, assigned: Any) -> None:
        # Nothing is fetched before `_heed` has sought the offset where to begin; it would be fetched and unpacked in vain.
        self._consumer.pause(*assigned)
        self._changes.append(Change(assigned=frozenset(assigned)))

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._changes.append(Change(revoked=frozenset(revoked)))
        # When the topics' metadata is the reason to join again and a poll ends before the join does, kafka-python takes the join
        # for done at the next poll and never takes in its result. With this it asks until the join has ended.
        self._consumer._coordinator.request_rejoin()

    def on_partitions_lost(self, lost: Any) -> None:
        self._changes.append(Change(revoked=frozenset(lost)))
