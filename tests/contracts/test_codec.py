"""The contract of a codec, run over both: the same bytes, records and reasons; and a bad record costs only itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.codec import HEAD_BYTES, Codec, Decoder, head
from pipeline.codec.arrow import listed
from pipeline.codec.strict import MOST_DEPTH
from pipeline.events import Reason, Rejection
from schemas.registry import Schema, SchemaUnusable, catalogue_of_files, load
from tests.harness.codecs import CODECS, RECORDS, Registered, codec, records_of, under, written
from tests.harness.touchpoints import REGISTRY, Record, answer, touchpoint, wire

GOLDEN = Path(__file__).with_name("golden")
MANY = 300


@pytest.fixture(params=CODECS)
def each(request: pytest.FixtureRequest) -> Codec:
    """Each codec."""
    return codec(request.param)


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


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("spoilt", [False, True])
def test_arrays_are_columns(each: Codec, name: str, spoilt: bool) -> None:
    """Whatever a codec has them as, also with one among them that cannot be read."""
    records = records_of(load(name)) * 3
    values: list[bytes | None] = [*each.encoder(name, REGISTRY, "").encode_all(records), *([b"junk"] if spoilt else [])]
    decoder = each.decoder(name, REGISTRY)
    columns, found = decoder.decode_columns(values), decoder.decode_arrays(values)
    assert found.rejected == columns.rejected
    assert repr({path: as_list(column) for path, column in found.by_name.items()}) == repr(columns.by_name)


@pytest.mark.parametrize("more", [b"", b"\2\2a\2y"])
def test_of_a_key_that_comes_twice_the_last_counts(each: Codec, more: bytes) -> None:
    """In columns as in records."""
    plain = wire(touchpoint(attributes={"a": "x"}))
    block = b"\2\2a\2x"
    assert plain.count(block) == 1
    values = [plain.replace(block, block + more)] * MANY
    decoder = each.decoder("touchpoint", REGISTRY)
    expected = decoder.decode(values[0])
    assert isinstance(expected, dict)
    assert expected["attributes"] == ({"a": "y"} if more else {"a": "x"})
    assert as_list(decoder.decode_arrays(values).by_name["attributes"]) == [expected["attributes"]] * MANY


def as_list(column: Any) -> list[Any]:
    """A column that may be an array."""
    return column if isinstance(column, list) else listed(column)


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
