"""Every topic, in one table. Names carry the version of their contract; the prefix is a setting."""

from dataclasses import dataclass, field, replace
from typing import Final

DAY_MS: Final = 86_400_000
# A stage writes more than it reads, and may compress it less: its topics take what any source topic can have taken.
ROOMY_BYTES: Final = str(64 << 20)
CHANNEL_TOPICS: Final = ("call", "web", "email", "app", "other")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name without prefix, the record it carries (a folder of schemas/), and how Kafka keeps it."""

    name: str
    record: str | None
    cleanup: str = "delete"
    retention_ms: int = -1
    partitions: int | None = None
    config: dict[str, str] = field(default_factory=dict)


def _deleted(name: str, record: str | None, days: int, **config: str) -> Topic:
    return Topic(name, record, "delete", days * DAY_MS, config={k.replace("_", "."): v for k, v in config.items()})


def _compacted(name: str, record: str | None) -> Topic:
    # Restore time follows the changelog's dirty part, so compaction is eager.
    eager = {"min.cleanable.dirty.ratio": "0.2", "segment.ms": "600000", "max.compaction.lag.ms": "86400000"}
    return Topic(name, record, "compact", config={**eager, "max.message.bytes": ROOMY_BYTES})


# The arrival clock of deduplication is the broker's: a producer's own clock could stretch or shrink the horizon.
TOPICS: Final = (
    *(
        _deleted(f"touchpoints.{c}.v1", "touchpoint", 30, message_timestamp_type="LogAppendTime")
        for c in CHANNEL_TOPICS
    ),
    _deleted("rejected.v1", None, 30, max_message_bytes=ROOMY_BYTES),
    Topic("identity.assertions.v1", "assertion", partitions=1),
    _compacted("identity.assignments.v1", "assignment"),
    _deleted("touchpoints.resolved.v1", "resolved_touchpoint", 30, max_message_bytes=ROOMY_BYTES),
    _compacted("customers.v1", "customer_view"),
    _deleted("sessions.v1", "session", 90),
    _deleted("journeys.v1", "journey", 90),
    _deleted("scores.v1", "score", 90),
    _deleted("alerts.v1", "alert", 90),
    _deleted("briefs.v1", "brief", 90),
    replace(_compacted("redrives.v1", None), partitions=1),
    _compacted("state.resolve.v1", None),
    _compacted("state.journey.v1", None),
)
BY_NAME: Final = {topic.name: topic for topic in TOPICS}
SOURCES: Final = tuple(f"touchpoints.{c}.v1" for c in CHANNEL_TOPICS)
RESOLVED: Final = "touchpoints.resolved.v1"
REJECTED: Final = "rejected.v1"
REDRIVES: Final = "redrives.v1"
ALERTS: Final = "alerts.v1"
OUTPUTS: Final = {
    "customer_view": "customers.v1",
    "session": "sessions.v1",
    "journey": "journeys.v1",
    "score": "scores.v1",
}


def subjects(prefix: str) -> dict[str, str]:
    """Subject of a schema registry -> record, for the values of every topic that carries one."""
    return {f"{prefix}{topic.name}-value": topic.record for topic in TOPICS if topic.record}


def source_topic(channel: str) -> str:
    """The topic, without prefix, that takes touchpoints of a channel."""
    return f"touchpoints.{channel if channel in CHANNEL_TOPICS else 'other'}.v1"


def desired_config(topic: Topic, replication: int) -> dict[str, str]:
    """The topic configuration that we answer for; whatever else the broker holds is left alone."""
    config = {"cleanup.policy": topic.cleanup, "retention.ms": str(topic.retention_ms), **topic.config}
    if replication >= 3:
        config["min.insync.replicas"] = "2"
    return config
