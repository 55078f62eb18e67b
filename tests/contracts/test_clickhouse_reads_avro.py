"""A second reader: ClickHouse's own Avro reads what our codec writes, by ids from our registry, and finds the same records.

What it cannot do is held here, too, so that docs/schemas.md stays true.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from pipeline.codec import plain
from pipeline.codec.reference import Bodies
from pipeline.codec.wire import head
from schemas.registry import Schema, catalogue_of_files, load
from tests.harness.clickhouse import Server
from tests.harness.evolution import records_of
from tests.harness.registry_server import Registered, answering, our_registry
from tests.harness.touchpoints import Record, answer, touchpoint, wire

GOLDEN = Path(__file__).with_name("golden")
LISTED = sorted(catalogue_of_files().values())
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEWER: Final = 50
DEEPER: Final = 51
ANSWER: Final = (
    "Tuple(question String, metric String, scale_min Int32, scale_max Int32,"
    " direction String, value Int32, aspect Nullable(String))"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """ClickHouse, told where the registry is."""

    client: Client
    registry: str

    def rows(self, values: bytes, structure: str = "", **settings: Any) -> list[Record]:
        """The records in bytes, read as a structure, or as what ClickHouse itself makes of the first record's schema."""
        given = {"format_avro_schema_registry_url": self.registry, "output_format_json_quote_64bit_integers": 0}
        source = f"format(AvroConfluent, {f'{structure!r}, ' if structure else ''}unhex('{values.hex()}'))"
        query = f"SELECT formatRow('JSONEachRow', *) FROM {source}"
        return [json.loads(row) for (row,) in self.client.execute(query, settings={**given, **settings})]


@pytest.fixture(scope="module")
def client(embedded_clickhouse: Server) -> Iterator[Client]:
    with embedded_clickhouse.client() as made:
        yield made


@pytest.fixture(scope="module")
def reader(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """With the registry that `serve` offers."""
    with our_registry(tmp_path_factory.mktemp("home")) as url:
        yield Reader(client, url)


@pytest.fixture(scope="module")
def evolved(client: Client) -> Iterator[Reader]:
    """With a registry that knows two later touchpoints as well."""
    texts = {number: json.dumps(load(*listed)) for number, listed in catalogue_of_files().items()}
    held = Registered(texts | {NEWER: json.dumps(newer()), DEEPER: json.dumps(deeper())})
    with answering(held.answer) as url:
        yield Reader(client, url)


def newer() -> Schema:
    """A touchpoint with a field, a record and a symbol more."""
    schema = copy.deepcopy(load("touchpoint"))
    (channel,) = (field["type"] for field in schema["fields"] if field["name"] == "channel")
    channel["symbols"].append("hologram")
    inside = [
        {"name": "floor", "type": "int", "default": 0},
        {"name": "room", "type": ["null", "string"], "default": None},
    ]
    place = {"type": "record", "name": "Place", "fields": inside}
    schema["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    schema["fields"].append({"name": "place", "type": ["null", place], "default": None})
    return schema


def deeper() -> Schema:
    """A touchpoint whose answer has a field more."""
    schema = copy.deepcopy(load("touchpoint"))
    (kind,) = (field["type"][1] for field in schema["fields"] if field["name"] == "answer")
    kind["fields"].append({"name": "comment", "type": ["null", "string"], "default": None})
    return schema


def written(schema: Schema, number: int, **fields: Any) -> bytes:
    """A touchpoint of another version on the wire."""
    return Bodies(plain(schema)).one(touchpoint(**fields), head(number))


def structure(node: Any) -> str:
    """A schema as a structure for ClickHouse: times stay numbers, symbols become text, and null has its place."""
    if isinstance(node, list):
        return f"Nullable({structure(node[1])})"
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        return f"Tuple({columns(node)})"
    if kind == "array":
        return f"Array({structure(node['items'])})"
    if kind == "map":
        return f"Map(String, {structure(node['values'])})"
    return {"long": "Int64", "int": "Int32", "boolean": "Bool", "double": "Float64"}.get(kind, "String")


def columns(schema: Schema) -> str:
    """Each field with its type."""
    return ", ".join(f"{field['name']} {structure(field['type'])}" for field in schema["fields"])


def with_times(value: Any, node: Any) -> Any:
    """A record as ClickHouse shows it by itself: milliseconds as a date and a time, UTC."""
    if value is None:
        return None
    if isinstance(node, list):
        return with_times(value, node[1])
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        return {field["name"]: with_times(value[field["name"]], field["type"]) for field in node["fields"]}
    if kind == "array":
        return [with_times(item, node["items"]) for item in value]
    if isinstance(node, dict) and node.get("logicalType") == "timestamp-millis":
        return (EPOCH + timedelta(milliseconds=value)).isoformat(" ", "milliseconds").removesuffix("+00:00")
    return value


@pytest.mark.parametrize("listed", LISTED, ids=lambda one: f"{one[0]}-{one[1]}")
def test_golden_bytes_are_read_field_by_field(reader: Reader, listed: tuple[str, int]) -> None:
    """By the types that ClickHouse finds itself, and by those that it is told."""
    schema = load(*listed)
    golden = json.loads((GOLDEN / f"{listed[0]}-{listed[1]}.json").read_text(encoding="utf-8"))
    value = bytes.fromhex(golden["hex"])
    assert reader.rows(value, session_timezone="UTC") == [with_times(golden["record"], schema)]
    assert reader.rows(value, columns(schema)) == [golden["record"]]


@pytest.mark.parametrize("listed", LISTED, ids=lambda one: f"{one[0]}-{one[1]}")
def test_every_branch_and_symbol_is_read(reader: Reader, listed: tuple[str, int]) -> None:
    """Records that are not there, empty lists and maps, every symbol; many records in one piece of bytes."""
    schema = load(*listed)
    (number,) = (known for known, one in catalogue_of_files().items() if one == listed)
    records = records_of(schema)
    values = b"".join(Bodies(schema).all(records, head(number)))
    assert reader.rows(values, session_timezone="UTC") == [with_times(record, schema) for record in records]
    assert reader.rows(values, columns(schema)) == records


def test_times_of_any_year_are_read_as_numbers(reader: Reader) -> None:
    """As dates, those outside the years that DateTime64 shows would be shown wrong."""
    times = [0, -1, -(1 << 63), (1 << 63) - 1]
    values = b"".join(wire(touchpoint(occurred_at=time)) for time in times)
    assert [row["occurred_at"] for row in reader.rows(values, "occurred_at Int64")] == times


def test_versions_are_read_side_by_side_with_a_structure(evolved: Reader) -> None:
    """What an earlier version does not have is null, a new symbol is text."""
    values = wire(touchpoint()) + written(
        newer(), NEWER, mood="fine", channel="hologram", place={"floor": 2, "room": None}
    )
    wanted = "event_id String, channel String, mood Nullable(String), place Nullable(Tuple(floor Int32, room Nullable(String)))"
    assert evolved.rows(values, wanted, input_format_avro_allow_missing_fields=1) == [
        {"event_id": "e-1", "channel": "web", "mood": None, "place": None},
        {"event_id": "e-1", "channel": "hologram", "mood": "fine", "place": {"floor": 2, "room": None}},
    ]


def refusal(reader: Reader, values: bytes, structure: str = "", **settings: Any) -> str:
    """What ClickHouse says when it does not read."""
    with pytest.raises(ServerException) as refused:
        reader.rows(values, structure, **settings)
    return str(refused.value)


def test_limit_a_new_symbol_does_not_fall_back_to_the_enums_default(evolved: Reader) -> None:
    """An Enum8 that lacks one, found by ClickHouse itself or told, stops the read; String takes it."""
    values = wire(touchpoint()) + written(newer(), NEWER, channel="hologram")
    assert "Unknown element 'hologram' for enum" in refusal(evolved, values)
    assert [row["channel"] for row in evolved.rows(values, "channel String")] == ["web", "hologram"]


def test_limit_a_field_that_is_missing_must_be_allowed_to_be(evolved: Reader) -> None:
    """Without the setting there is no default."""
    assert "Field mood not found in Avro schema" in refusal(evolved, wire(touchpoint()), "mood Nullable(String)")


def test_limit_a_record_inside_is_read_whole_or_not_at_all(evolved: Reader) -> None:
    """So a field more in it breaks a reader with the old structure, and a reader with the new one old records."""
    fault = "number of leaves in record doesn't match the number of elements in tuple"
    allow = {"input_format_avro_allow_missing_fields": 1}
    now, then = f"answer Nullable({ANSWER})", f"answer Nullable({ANSWER[:-1]}, comment Nullable(String)))"
    old = wire(touchpoint(answer=answer()))
    new = written(deeper(), DEEPER, answer=answer())
    assert evolved.rows(old, now) == [{"answer": answer()}]
    assert evolved.rows(new, then) == [{"answer": {**answer(), "comment": None}}]
    assert fault in refusal(evolved, new, now, **allow)
    assert fault in refusal(evolved, old, then, **allow)
    assert fault in refusal(evolved, old, "answer Nullable(Tuple(value Int32))", **allow)


def test_limit_a_record_that_is_not_there_looks_empty_where_null_has_no_place(reader: Reader) -> None:
    """A Tuple instead of a Nullable one is filled with zeros, and nothing is said."""
    (row,) = reader.rows(wire(touchpoint(answer=None)), f"answer {ANSWER}")
    assert row["answer"]["value"] == 0
    assert reader.rows(wire(touchpoint(answer=None)), f"answer Nullable({ANSWER})") == [{"answer": None}]


@pytest.mark.parametrize("value", [wire(touchpoint())[:-1], wire(touchpoint()) + b"\0", b"\0\0\0\0\x63\0"])
def test_what_is_no_record_is_refused(reader: Reader, value: bytes) -> None:
    """Cut short, too long, of an id that the registry does not know: one such record stops the read of all."""
    assert refusal(reader, wire(touchpoint()) + value)
