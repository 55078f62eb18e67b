"""`topics plan` and `topics apply` against a real broker: what is missing is made, what differs is shown and left alone."""

from uuid import uuid4

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from pipeline import topics_admin
from pipeline.topics import TOPICS, desired_config
from tests.harness.installation import Installation


@pytest.fixture
def empty(shared: Installation) -> Installation:
    """The same broker under a prefix that no topic has yet."""
    return Installation(shared.home, {"topic_prefix": f"t{uuid4().hex}."})


def names(installation: Installation) -> set[str]:
    return {installation.settings.topic_prefix + topic.name for topic in TOPICS}


def test_an_empty_broker_lacks_every_topic(empty: Installation) -> None:
    done = empty.run("topics", "plan")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert {line.split()[1].rstrip(":") for line in lines} == names(empty)
    assert all(line.startswith("missing  ") for line in lines)
    assert f"missing  {empty.settings.topic_prefix}touchpoints.call.v1: 4 partitions, delete" in lines
    assert f"missing  {empty.settings.topic_prefix}identity.assertions.v1: 1 partitions, delete" in lines


def test_apply_makes_them_as_the_table_has_them_and_once(empty: Installation) -> None:
    first = empty.told("topics", "apply")
    assert (set(first["made"]), first["differences"]) == (names(empty), [])
    again = empty.told("topics", "apply")
    assert again == {"made": [], "differences": []}
    assert empty.run("topics", "plan").stdout == "all topics are as the table has them\n"
    prefix = empty.settings.topic_prefix
    admin = topics_admin.open_admin(empty.bootstrap())
    described = {d["name"]: d for d in admin.describe_topics(sorted(names(empty)))}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names(empty)]
    configs = admin.describe_configs(asked, config_filter="all")["topic"]
    admin.close()
    for topic in TOPICS:
        assert len(described[prefix + topic.name]["partitions"]) == (topic.partitions or 4)
        held = configs[prefix + topic.name]
        assert {k: str(held[k]["value"]) for k in desired_config(topic, 1)} == desired_config(topic, 1)


def test_what_differs_is_shown_and_left_alone(empty: Installation) -> None:
    prefix = empty.settings.topic_prefix
    admin = topics_admin.open_admin(empty.bootstrap())
    admin.create_topics(
        [
            NewTopic(prefix + "touchpoints.web.v1", num_partitions=7, replication_factor=1),
            NewTopic(
                prefix + "customers.v1",
                num_partitions=4,
                replication_factor=1,
                topic_configs={"cleanup.policy": "delete"},
            ),
        ]
    )
    made = empty.run("topics", "apply", "--json")
    assert made.returncode == 1
    for _ in range(2):
        shown = empty.run("topics", "plan")
        assert shown.returncode == 1
        assert f"differs  {prefix}touchpoints.web.v1: partitions is 7, not 4" in shown.stdout.splitlines()
        assert f"differs  {prefix}customers.v1: cleanup.policy is delete, not compact" in shown.stdout.splitlines()
        assert "missing" not in shown.stdout
    described = admin.describe_topics([prefix + "touchpoints.web.v1"])
    admin.close()
    assert len(described[0]["partitions"]) == 7


def test_up_refuses_topics_that_are_cut_otherwise(shared: Installation, empty: Installation) -> None:
    empty.told("topics", "apply")
    other = Installation(
        shared.home.parent / "other",
        {
            **empty.overrides,
            "kafka_bootstrap": shared.bootstrap(),
            "clickhouse_address": "{}:{}".format(*shared.clickhouse()),
            "topic_partitions": "6",
        },
    )
    other.home.mkdir()
    done = other.run("up", "--detach")
    assert done.returncode == 69
    assert done.stderr.splitlines()[-1].endswith(
        "has 4 partitions, the settings say 6: give TOUCHSTREAM_TOPIC_PARTITIONS the number that the topics were made with"
    )
    assert other.processes() == []
