"""Make the topics, or say how they differ. A difference is shown and never changed in silence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from pipeline.config import Settings
from pipeline.topics import TOPICS, Topic, desired_config


class TopicsError(Exception):
    """Kafka does not answer, or refuses what we ask."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a topic is not as the table has it. `actual` is None for a topic that does not exist."""

    topic: str
    what: str
    desired: str
    actual: str | None


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Which log a topic's name means: another cluster or a topic made anew is another log. And how long it keeps tombstones."""

    cluster: str
    topic_id: str
    tombstones_ms: int


def open_admin(bootstrap: str, timeout_s: float = 10.0) -> Any:
    """Kafka's admin client. Raises TopicsError when the broker does not answer in time."""
    try:
        return KafkaAdminClient(bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=int(timeout_s * 1000))
    except (KafkaError, OSError) as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions the topic is to have."""
    return topic.partitions or settings.topic_partitions


def plan(admin: Any, settings: Settings) -> list[Difference]:
    """Every difference between the table and the broker. Raises TopicsError."""
    try:
        existing = set(admin.list_topics())
        known = [topic for topic in TOPICS if settings.topic_prefix + topic.name in existing]
        names = [settings.topic_prefix + topic.name for topic in known]
        described = {d["name"]: d for d in admin.describe_topics(names)} if names else {}
        configs = _configs(admin, names)
    except (KafkaError, OSError) as error:
        raise TopicsError(f"Kafka does not tell its topics: {error}") from error
    found: list[Difference] = []
    for topic in TOPICS:
        name = settings.topic_prefix + topic.name
        if name in existing:
            found += _differences(topic, settings, described[name]["partitions"], configs[name])
        else:
            found.append(
                Difference(name, "topic", f"{partitions_of(topic, settings)} partitions, {topic.cleanup}", None)
            )
    return found


def log_identity(bootstrap: str, topic: str) -> LogIdentity:
    """The identity of a topic's log. Raises TopicsError."""
    admin = open_admin(bootstrap)
    try:
        cluster = admin.describe_cluster()["cluster_id"]
        (described,) = admin.describe_topics([topic])
        tombstones_ms = int(_configs(admin, [topic])[topic]["delete.retention.ms"])
    except (KafkaError, OSError, ValueError, KeyError) as error:
        raise TopicsError(f"Kafka does not describe {topic}: {error!r}") from error
    finally:
        admin.close()
    return LogIdentity(str(cluster), str(described.get("topic_id")), tombstones_ms)


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = admin.describe_configs(asked, config_filter="all")["topic"]
    return {name: {key: str(entry["value"]) for key, entry in entries.items()} for name, entries in answers.items()}


def _differences(
    topic: Topic, settings: Settings, partitions: list[Any], config: dict[str, str]
) -> Iterator[Difference]:
    name, wanted = settings.topic_prefix + topic.name, partitions_of(topic, settings)
    if len(partitions) != wanted:
        yield Difference(name, "partitions", str(wanted), str(len(partitions)))
    replicas = min(len(p["replica_nodes"]) for p in partitions)
    if replicas != settings.topic_replication:
        yield Difference(name, "replicas", str(settings.topic_replication), str(replicas))
    for key, value in desired_config(topic, settings.topic_replication).items():
        if config.get(key) != value:
            yield Difference(name, key, value, config.get(key))


def create_missing(admin: Any, settings: Settings, differences: list[Difference]) -> list[str]:
    """Make the topics that do not exist; the names of those made. Raises TopicsError."""
    missing = {d.topic for d in differences if d.actual is None and d.what == "topic"}
    wanted = {
        settings.topic_prefix + topic.name: {
            "num_partitions": partitions_of(topic, settings),
            "replication_factor": settings.topic_replication,
            "configs": desired_config(topic, settings.topic_replication),
        }
        for topic in TOPICS
        if settings.topic_prefix + topic.name in missing
    }
    try:
        if wanted:
            admin.create_topics(wanted)
            admin.wait_for_topics(list(wanted))
    except TopicAlreadyExistsError:
        pass  # somebody made one between plan and now: the next plan compares it
    except (KafkaError, OSError) as error:
        raise TopicsError(f"Kafka refuses a topic: {error}") from error
    return sorted(wanted)
