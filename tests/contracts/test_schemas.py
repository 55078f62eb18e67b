"""The contract of the topics: every schema whole and explained, and its bytes on the wire pinned."""

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipeline.codec import Decoder, head
from pipeline.topics import (
    BY_NAME,
    CHANNEL_TOPICS,
    OUTPUTS,
    REJECTED,
    RESOLVED,
    SOURCES,
    TOPICS,
    desired_config,
    source_topic,
)
from processors.policies import SESSION_GAPS
from processors.resolve import ADDED
from schemas import registry
from schemas.registry import FileRegistry, Schema, catalogue_of_files, load
from schemas.walk import fields
from sinks.rows import TABLES
from tests.harness.touchpoints import encoder

GOLDEN = Path(__file__).with_name("golden")
LISTED = sorted(catalogue_of_files().values())


def name_of(listed: tuple[str, int]) -> str:
    """As a file is called."""
    return f"{listed[0]}-{listed[1]}"


def kinds(node: Any) -> set[str]:
    """The plain types and logical types that a field's value may have, itself and in arrays and maps."""
    if isinstance(node, list):
        return set().union(*(kinds(branch) for branch in node))
    if not isinstance(node, dict):
        return {node}
    inner = [node[name] for name in ("items", "values") if name in node]
    return {node["type"], node.get("logicalType", node["type"])} | set().union(*map(kinds, inner))


@pytest.mark.parametrize("listed", LISTED, ids=name_of)
def test_every_field_is_explained(listed: tuple[str, int]) -> None:
    """A sentence, and a unit for every number that counts or measures."""
    schema = load(*listed)
    assert schema["doc"].endswith(".")
    for path, field in fields(schema):
        where = f"{name_of(listed)}: {path}"
        assert field["doc"].endswith("."), where
        if kinds(field["type"]) & {"long", "double"}:
            assert field.get("unit"), where
        if "timestamp-millis" in kinds(field["type"]):
            assert field["unit"] == "milliseconds since epoch, UTC", where
        if field["name"].endswith("_at") and field["name"] not in ("answered_at",):
            assert "timestamp-millis" in kinds(field["type"]), where


@pytest.mark.parametrize("listed", LISTED, ids=name_of)
def test_what_may_be_missing_has_a_default(listed: tuple[str, int]) -> None:
    """So that readers and writers of different versions understand each other."""
    for _, field in fields(load(*listed)):
        if isinstance(field["type"], list):
            assert field["type"][0] == "null"
            assert field["default"] is None


def test_ids_and_files_belong_together() -> None:
    """No id twice, no file without an id, no id without a file."""
    folder = Path(registry.__file__).parent
    text = (folder / "registry.toml").read_text()
    assert text.count("[[schema]]") == len(catalogue_of_files()) == len(set(LISTED))
    assert {(path.parent.name, int(path.stem)) for path in folder.glob("*/*.avsc")} == set(LISTED)


def test_names_are_those_of_the_folders() -> None:
    """`customer_view` holds CustomerView."""
    for record, version in LISTED:
        schema = load(record, version)
        assert schema["name"] == record.title().replace("_", "")
        assert schema["namespace"] == "touchstream"


def test_a_resolved_touchpoint_begins_with_a_touchpoint() -> None:
    """Its bytes are copied, so the fields must be the same, in the same order, to the letter."""
    touchpoint, resolved = load("touchpoint")["fields"], load("resolved_touchpoint")["fields"]
    assert resolved[: len(touchpoint)] == touchpoint
    assert len(resolved) == len(touchpoint) + ADDED


def test_every_topic_has_its_record() -> None:
    """And every table and every output its topic."""
    records = {record for record, _ in LISTED}
    assert {topic.record for topic in TOPICS if topic.record} <= records
    assert len(BY_NAME) == len(TOPICS)
    assert set(SOURCES) | {RESOLVED, REJECTED} | set(OUTPUTS.values()) | set(TABLES) <= set(BY_NAME)
    for kind, topic in OUTPUTS.items():
        assert BY_NAME[topic].record == kind
    for topic, table in TABLES.items():
        assert BY_NAME[topic].record == table.record


def test_every_channel_has_a_topic_and_a_gap() -> None:
    """Those without a topic of their own share one."""
    (channel,) = (field["type"] for field in load("touchpoint")["fields"] if field["name"] == "channel")
    for symbol in channel["symbols"]:
        assert source_topic(symbol) in SOURCES
    assert set(CHANNEL_TOPICS) <= set(channel["symbols"]) == set(SESSION_GAPS)


def test_topics_are_kept_as_their_contract_says() -> None:
    """Compacted ones for ever; sources by the broker's clock; two replicas in sync where there are three."""
    for topic in TOPICS:
        config = desired_config(topic, 1)
        assert config["cleanup.policy"] == topic.cleanup
        assert config["retention.ms"] == "-1" if topic.cleanup == "compact" else int(config["retention.ms"])
        assert "min.insync.replicas" not in config
        assert desired_config(topic, 3)["min.insync.replicas"] == "2"
    assert all(desired_config(BY_NAME[name], 1)["message.timestamp.type"] == "LogAppendTime" for name in SOURCES)


@pytest.mark.parametrize("listed", LISTED, ids=name_of)
def test_bytes_on_the_wire_are_pinned(listed: tuple[str, int]) -> None:
    """What another version, or another language, has written is read; the newest version is written so."""
    golden = json.loads((GOLDEN / f"{name_of(listed)}.json").read_text(encoding="utf-8"))
    value = bytes.fromhex(golden["hex"])
    assert value[:5] == head(golden["schema_id"])
    assert FileRegistry().schema(golden["schema_id"]) == load(*listed)
    if load(*listed) == load(listed[0]):
        assert encoder(listed[0]).encode(golden["record"]) == value
        assert Decoder(listed[0], FileRegistry()).decode(value) == golden["record"]
    assert isinstance(Decoder(listed[0], FileRegistry()).decode(value), dict)


@pytest.mark.parametrize("listed", LISTED, ids=name_of)
def test_schemas_are_avro(listed: tuple[str, int]) -> None:
    """By the library's own strict reading, logical types and all."""
    schema: Schema = load(*listed)
    fastavro.parse_schema(schema)
    assert len({field["name"] for field in schema["fields"]}) == len(schema["fields"])
