"""The contract of a codec, run over both: the same bytes, records and reasons; and a bad record costs only itself."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.codec import HEAD_BYTES, Codec, Decoder, head, plain
from pipeline.codec.strict import MOST_DEPTH
from pipeline.events import Reason, Rejection
from schemas.registry import Schema, SchemaUnusable, catalogue_of_files, load
from tests.harness.codecs import CODECS, RECORDS, Registered, codec, narrower, newer, older, reworded, spoilt, under
from tests.harness.touchpoints import REGISTRY, Record, answer, touchpoint, wire

GOLDEN = Path(__file__).with_name("golden")
MANY = 300
EXTREMES: dict[str, list[Any]] = {
    "string": ["", "a", "ä€𝄞\0", "x" * 10_000],
    "int": [0, -1, 63, 64, 2**31 - 1, -(2**31)],
    "long": [0, -1, 2**63 - 1, -(2**63), 1_700_000_000_000],
    "double": [0.0, -0.0, 1.5, float("nan"), float("inf"), -float("inf"), 5e-324],
    "boolean": [True, False],
}


@pytest.fixture(params=CODECS)
def each(request: pytest.FixtureRequest) -> Codec:
    """Each codec."""
    return codec(request.param)


def values_of(node: Any) -> list[Any]:
    """Values of a schema's node that show every branch, symbol, extreme and emptiness of it at least once."""
    if isinstance(node, list):
        return [value for branch in node for value in values_of(branch)]
    kind = node["type"] if isinstance(node, dict) else node
    if isinstance(kind, dict | list):
        return values_of(kind)
    if kind == "record":
        return records_of(node)
    if kind == "enum":
        return list(node["symbols"])
    if kind == "array":
        items = values_of(node["items"])
        return [[], items[:1], items, items[:3] * 50]
    if kind == "map":
        return [
            {},
            {f"k{n}": item for n, item in enumerate(values_of(node["values"]))},
            {"": values_of(node["values"])[0]},
        ]
    return [None] if kind == "null" else EXTREMES[kind]


def records_of(schema: Schema) -> list[Record]:
    """Records in which every field takes each of its values."""
    fields = {field["name"]: values_of(field["type"]) for field in schema["fields"]}
    return [
        {name: values[n % len(values)] for name, values in fields.items()}
        for n in range(max(map(len, fields.values())))
    ]


def written(schema: Schema, record: Record, schema_id: int) -> bytes:
    """The record as the library writes it, without any of ours."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(plain(schema)), record)
    return head(schema_id) + out.getvalue()


@pytest.mark.parametrize("name", RECORDS)
def test_every_value_of_every_field(each: Codec, name: str) -> None:
    """The library's own bytes, and the same records back; as text, because NaN equals nothing."""
    records = records_of(load(name)) * 3
    schema_id = REGISTRY.schema_id(name, "")
    values = each.encoder(name, REGISTRY, "").encode_all(records)
    assert values == [written(load(name), record, schema_id) for record in records]
    decoder = each.decoder(name, REGISTRY)
    assert repr(decoder.decode_all(values)) == repr(records)
    assert repr([decoder.decode(value) for value in values]) == repr(records)


@pytest.mark.parametrize("name", RECORDS)
def test_golden_bytes(each: Codec, name: str) -> None:
    """The pinned ones of the newest version, in a batch."""
    newest = max(version for record, version in catalogue_of_files().values() if record == name)
    golden = json.loads((GOLDEN / f"{name}-{newest}.json").read_text(encoding="utf-8"))
    value = bytes.fromhex(golden["hex"])
    assert each.encoder(name, REGISTRY, "").encode_all([golden["record"]] * MANY) == [value] * MANY
    assert each.decoder(name, REGISTRY).decode_all([value] * MANY) == [golden["record"]] * MANY


def at_channel(raw: bytes) -> int:
    """Where the channel of a plain touchpoint lies."""
    return raw.index(b"page.viewed") + len(b"page.viewed")


def replaced(value: bytes, at: int, new: bytes) -> bytes:
    """Other bytes instead of one."""
    return value[:at] + new + value[at + 1 :]


GOOD = wire(touchpoint())
NEWEST = REGISTRY.schema_id("touchpoint", "any-value")
ANSWERED = wire(touchpoint(answer=answer(9, scale_max=10)))
NOT_AVRO: dict[str, tuple[Any, Reason]] = {
    "nothing": (None, Reason.EMPTY),
    "no bytes": (b"", Reason.EMPTY),
    "half a head": (b"\0\0", Reason.MAGIC),
    "another magic": (b"\1" + GOOD[1:], Reason.MAGIC),
    "an unknown id": (under(99, GOOD), Reason.SCHEMA_UNKNOWN),
    "a head alone": (GOOD[:HEAD_BYTES], Reason.DECODE),
    "half a record": (GOOD[:-9], Reason.DECODE),
    "a byte too few": (GOOD[:-1], Reason.DECODE),
    "a byte too many": (GOOD + b"\0", Reason.TRAILING_BYTES),
    "a negative symbol": (replaced(GOOD, at_channel(GOOD), b"\1"), Reason.DECODE),
    "a symbol too far": (replaced(GOOD, at_channel(GOOD), b"\x16"), Reason.DECODE),
    "a symbol of two bytes": (replaced(GOOD, at_channel(GOOD), b"\x84\0"), Reason.DECODE),
    "a negative branch": (GOOD[:-1] + b"\1", Reason.DECODE),
    "no UTF-8": (GOOD.replace(b"web-shop", b"web\xffshop"), Reason.DECODE),
    "half a surrogate": (GOOD.replace(b"web-shop", b"web\xed\xa0\x80op"), Reason.DECODE),
    "an int of 33 bits": (
        replaced(ANSWERED, ANSWERED.index(b"\x06nps\0\x14") + 5, b"\x80\x80\x80\x80\x10"),
        Reason.DECODE,
    ),
    "a long of 65 bits": (GOOD.replace(GOOD[at_channel(GOOD) + 1 :][:6], b"\xff" * 9 + b"\3"), Reason.DECODE),
    "a long that goes on": (GOOD.replace(GOOD[at_channel(GOOD) + 1 :][:6], b"\xff" * 40), Reason.DECODE),
    "a negative length": (GOOD[:HEAD_BYTES] + b"\1" + GOOD[HEAD_BYTES + 1 :], Reason.DECODE),
}


@pytest.mark.parametrize("value_reason", NOT_AVRO.values(), ids=NOT_AVRO)
@pytest.mark.parametrize("place", [0, MANY // 2, MANY])
def test_a_bad_record_costs_only_itself(each: Codec, value_reason: tuple[Any, Reason], place: int) -> None:
    """Wherever in a batch it is; and the reason is the one that it has alone."""
    value, reason = value_reason
    records = [touchpoint(event_id=str(n)) for n in range(MANY)]
    values: list[bytes | None] = [wire(record) for record in records]
    values.insert(place, value)
    decoder = each.decoder("touchpoint", REGISTRY)
    found = decoder.decode_all(values)
    bad = found.pop(place)
    assert isinstance(bad, Rejection)
    assert bad.reason is reason
    assert bad == decoder.decode(value) == Decoder("touchpoint", REGISTRY).decode(value)
    assert found == records
    columns = decoder.decode_columns(values)
    assert columns.rejected == [(place, bad)]
    assert columns.by_name["event_id"] == [str(n) for n in range(MANY)]


def test_blocks_are_read_however_they_are_cut(each: Codec) -> None:
    """Items in several blocks, with and without sizes; a size that is not true is no Avro."""
    one = b"\x10customer\x06c-1"
    whole = wire(touchpoint(identifiers=[{"namespace": "customer", "value": "c-1"}] * 2))
    single = b"\4" + one + one + b"\0"
    assert single in whole
    size = bytes([len(one) * 2])
    cuts = {b"\2" + one + b"\2" + one + b"\0", b"\1" + size + one + b"\2" + one + b"\0"}
    decoder = each.decoder("touchpoint", REGISTRY)
    expected = decoder.decode(whole)
    for cut in cuts:
        assert decoder.decode_all([whole.replace(single, cut)] * MANY) == [expected] * MANY
    lie = whole.replace(single, b"\3" + size + one + one + b"\0")
    found = decoder.decode_all([lie] * MANY)
    assert {one.reason if isinstance(one, Rejection) else None for one in found} == {Reason.DECODE}


def test_several_versions_in_one_batch(each: Codec) -> None:
    """Older, newer, reworded and unknown writers, mixed; in order."""
    schemas = {1: load("touchpoint"), 2: newer(), 3: older(), 4: reworded(), 5: load("session")}
    decoder = each.decoder("touchpoint", Registered(schemas))
    values: list[bytes | None] = []
    expected: list[Any] = []
    for n in range(MANY):
        ours = touchpoint(event_id=str(n))
        for number, more in ((1, {}), (2, {"mood": "fine", "channel": "hologram"}), (3, {"weight": 0.5}), (4, {})):
            values.append(written(schemas[number], {**ours, **more}, number))
            expected.append({**ours, "channel": "other"} if number == 2 else ours)
        values += [under(5, GOOD), under(6, GOOD)]
        expected += [Reason.SCHEMA_UNSUITABLE, Reason.SCHEMA_UNKNOWN]
    found = decoder.decode_all(values)
    assert [one.reason if isinstance(one, Rejection) else one for one in found] == expected
    columns = decoder.decode_columns(values)
    assert columns.by_name["event_id"] == [one["event_id"] for one in expected if isinstance(one, dict)]
    assert columns.rejected == [(place, one) for place, one in enumerate(found) if isinstance(one, Rejection)]


def test_versions_that_differ_in_whole_fields_are_read_like_any_other(each: Codec) -> None:
    """Mixed with ours and in order, as records and as columns, with bad ones among them."""
    schemas = {1: load("touchpoint", 1), 2: load("touchpoint"), 3: narrower()}
    registry = Registered(schemas)
    records = records_of(load("touchpoint"))
    values: list[bytes | None] = []
    for n in range(2 * MANY):
        number, record = n % 3 + 1, records[n % len(records)]
        value = written(schemas[number], {**record, "till": str(n)}, number)
        values.append(value[:-1] if n % 97 == 0 else value)
    one_by_one = Decoder("touchpoint", registry)
    expected = [one_by_one.decode(value) for value in values]
    decoder = each.decoder("touchpoint", registry)
    assert decoder.decode_all(values) == expected
    good = [one for one in expected if isinstance(one, dict)]
    columns = decoder.decode_columns(values)
    assert repr(columns.by_name["occurred_at"]) == repr([one["occurred_at"] for one in good])
    scores = [one["answer"]["value"] if one["answer"] else None for one in good]
    assert columns.by_name["answer.value"] == scores
    assert columns.by_name["attributes"] == [one["attributes"] for one in good]
    assert [place for place, _ in columns.rejected] == [
        n for n, one in enumerate(expected) if not isinstance(one, dict)
    ]
    some = each.decoder("touchpoint", registry, ["event_id", "waited_ms", "answer"]).decode_all(values)
    assert [(one["event_id"], one["waited_ms"], one["answer"]) for one in some if isinstance(one, dict)] == [
        (one["event_id"], one["waited_ms"], one["answer"]) for one in good
    ]


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_spoilt_bytes_of_another_version_have_the_same_fate(name: str, data: st.DataObject) -> None:
    """As one by one."""
    schema = data.draw(st.sampled_from([load("touchpoint", 1), narrower()]))
    registry = Registered({7: schema})
    value = written(schema, {**touchpoint(answer=answer()), "till": "3"}, 7)
    values = [data.draw(spoilt(value)), *[value] * MANY]
    one_by_one = Decoder("touchpoint", registry)
    expected = [one_by_one.decode(one) for one in values]
    assert codec(name).decoder("touchpoint", registry).decode_all(values) == expected


@pytest.mark.parametrize("name", RECORDS)
def test_columns_are_the_records(each: Codec, name: str) -> None:
    """Every field in its column, and those of records and lists of records beside each other."""
    records = records_of(load(name)) * 3
    values = each.encoder(name, REGISTRY, "").encode_all(records)
    columns = each.decoder(name, REGISTRY).decode_columns(values)
    assert columns.rejected == []
    for path, column in columns.by_name.items():
        field, _, inner = path.partition(".")
        assert repr(column) == repr([_inner(record[field], inner) for record in records]), path
    assert {path.partition(".")[0] for path in columns.by_name} == set(records[0])


def _inner(value: Any, name: str) -> Any:
    if not name or value is None:
        return value
    return [one[name] for one in value] if isinstance(value, list) else value[name]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 300])
def test_only_some_fields(each: Codec, count: int) -> None:
    """Of however many records; a field that is none is said at once."""
    wanted = ("event_id", "answer", "identifiers", "attributes")
    records = [touchpoint(event_id=str(n), answer=answer() if n % 2 else None) for n in range(count)]
    decoder = each.decoder("touchpoint", REGISTRY, wanted)
    values = [wire(record) for record in records]
    found = decoder.decode_all(values)
    assert [{name: one[name] for name in wanted} for one in found if isinstance(one, dict)] == [
        {name: record[name] for name in wanted} for record in records
    ]
    columns = decoder.decode_columns(values).by_name
    assert {path.partition(".")[0] for path in columns} == set(wanted)
    assert columns["answer.value"] == [9 if n % 2 else None for n in range(count)]
    with pytest.raises(KeyError):
        each.decoder("touchpoint", REGISTRY, ("no_such_field",))


WRONG: dict[str, Record] = {
    "no text": {"event_id": 5},
    "bytes": {"event_id": b"x"},
    "nothing": {"event_id": None},
    "half a surrogate": {"source": "\ud800"},
    "no symbol": {"channel": "nowhere"},
    "no number": {"occurred_at": "now"},
    "65 bits": {"occurred_at": 1 << 63},
    "half a point": {"answer": answer(1.5)},  # type: ignore[arg-type]
    "33 bits": {"answer": answer(1 << 31)},
    "nothing inside": {"answer": answer(question=None)},
    "no map": {"attributes": [("a", "b")]},
    "a map of nothing": {"attributes": {"a": None}},
    "a key of nothing": {"attributes": {None: "a"}},
    "pairs": {"identifiers": [("namespace", "value")]},
    "a list of nothing": {"identifiers": [None]},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_record_of_ours_that_does_not_fit_is_an_error(each: Codec, wrong: Record) -> None:
    """Never half a record on the wire, nor a changed one; and the process lives."""
    encoder = each.encoder("touchpoint", REGISTRY, "")
    for records in ([touchpoint(**wrong)], [touchpoint()] * MANY + [touchpoint(**wrong)]):
        with pytest.raises((ValueError, TypeError, AttributeError, OverflowError)):
            encoder.encode_all(records)


def test_what_has_a_default_may_be_missing(each: Codec) -> None:
    """In a batch as alone."""
    record = touchpoint(answer=answer())
    short = {**record, "answer": {k: v for k, v in record["answer"].items() if k != "direction"}}
    del short["promise"]
    encoder = each.encoder("touchpoint", REGISTRY, "")
    assert encoder.encode_all([short] * MANY) == [wire(record)] * MANY


def nested(depth: int) -> Schema:
    """A touchpoint with lists in lists."""
    kind: Any = "string"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    schema = load("touchpoint")
    return {**schema, "fields": [*schema["fields"], {"name": "deep", "type": kind, "default": []}]}


def doubled(times: int) -> Schema:
    """A touchpoint with a record that holds twice a record that holds twice a record, of nothing in the end."""
    kind: Any = {"type": "record", "name": "R0", "fields": []}
    for n in range(times):
        fields = [{"name": "a", "type": kind}, {"name": "b", "type": f"R{n}"}]
        kind = {"type": "record", "name": f"R{n + 1}", "fields": fields}
    schema = load("touchpoint")
    return {**schema, "fields": [*schema["fields"], {"name": "much", "type": kind}]}


def itself() -> Schema:
    """A touchpoint that holds touchpoints."""
    schema = load("touchpoint")
    more = {"name": "parents", "type": {"type": "array", "items": "Touchpoint"}, "default": []}
    return {**schema, "fields": [*schema["fields"], more]}


def nothings() -> Schema:
    """A touchpoint with a list whose items have no bytes: ten bytes would claim billions of them."""
    schema = load("touchpoint")
    return {**schema, "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}, *schema["fields"]]}


HOSTILE: dict[str, Callable[[], Schema]] = {
    "deep": lambda: nested(MOST_DEPTH + 1),
    "far too deep": lambda: nested(100_000),
    "doubled over and over": lambda: doubled(14),
    "itself": itself,
    "nothings": nothings,
    "wide": lambda: {**load("touchpoint"), "fields": [{"name": f"f{n}", "type": "int"} for n in range(30_000)]},
    "a fixed of less than nothing": lambda: {
        **load("touchpoint"),
        "fields": [{"name": "f", "type": {"type": "fixed", "name": "F", "size": -5}}],
    },
}


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_schema_of_a_registry_is_a_reason(each: Codec, schema: Callable[[], Schema]) -> None:
    """Soon, and the others of the batch are read."""
    registry = Registered({NEWEST: load("touchpoint"), 7: schema()})
    found = each.decoder("touchpoint", registry).decode_all(
        [GOOD] * MANY + [under(7, GOOD), head(7) + b"\xff" * 9 + b"\1"]
    )
    assert [one.reason for one in found if isinstance(one, Rejection)] == [Reason.SCHEMA_UNSUITABLE] * 2
    assert len(found) == MANY + 2
    assert registry.asked.count(7) == 1


def test_a_schema_that_nobody_should_read_is_a_reason(each: Codec) -> None:
    """Also when the registry itself has found that out."""

    class Huge(Registered):
        def schema(self, schema_id: int) -> Schema:
            raise SchemaUnusable("more than 5 bytes")

    found = each.decoder("touchpoint", Huge({})).decode(GOOD)
    assert found == Rejection(Reason.SCHEMA_UNSUITABLE, "", "a schema of sane size", "more than 5 bytes")
