"""What can be read as what, by the specification's table, each failure with its place and its words; and what is no schema."""

from typing import Any

import pytest

from schemas.compatibility import PROMOTIONS, Incompatibility, SchemaInvalid, incompatibilities

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
NO_DEFAULT = "the writer does not have it, and the reader has no default for it"


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def of(kind: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def array(kind: Any) -> dict[str, Any]:
    return {"type": "array", "items": kind}


def values(kind: Any) -> dict[str, Any]:
    return {"type": "map", "values": kind}


def fixed(size: int, name: str = "F") -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size}


INNER = record(of("int", "x"), name="I")
MORE_INSIDE = record(of("int", "x"), of("int", "y"), name="I")
TIME = {"type": "long", "logicalType": "timestamp-millis"}
GOOD = {
    "an int where a union has a long": (["null", "long"], "int"),
    "what was never null": (["null", "int"], "int"),
    "a union in another order": (["int", "null"], ["null", "int"]),
    "an enum that has a default": (enum("x", default="x"), enum("x", "y")),
    "an enum with more symbols": (enum("y", "x"), enum("x")),
    "a record inside with less": (["null", INNER], ["null", MORE_INSIDE]),
    "a list of promoted": (array("double"), array("int")),
    "a map of nullable": (values(["null", "string"]), values("string")),
    "a logical type": (TIME, "long"),
    "a type spelt out": ({"type": "string"}, "string"),
}
BAD = {
    "what may be null": ("int", ["null", "int"], "a", "the writer has null, the reader int"),
    "an enum without default": (enum("x"), enum("x", "y", "z"), "a", "the reader's enum has no y, z and no default"),
    "an enum of another name": (enum("x"), {**enum("x"), "name": "G"}, "a", "the writer has enum G, the reader enum E"),
    "a union without it": (["null", "int"], "string", "a", "the reader's union of null and int has no string"),
    "a record in a union": (["null", MORE_INSIDE], ["null", INNER], "a.y", NO_DEFAULT),
    "a record in a list": (array(MORE_INSIDE), array(INNER), "a[].y", NO_DEFAULT),
    "a record in lists in a map": (values(array(MORE_INSIDE)), values(array(INNER)), "a{}[].y", NO_DEFAULT),
    "a narrower number in a map": (values("int"), values("long"), "a{}", "the writer has long, the reader int"),
    "a size": (fixed(3), fixed(4), "a", "the writer has fixed F of 4 bytes, the reader fixed F of 3 bytes"),
    "a list for a map": (array("int"), values("int"), "a", "the writer has map, the reader array"),
}


@pytest.mark.parametrize("there", PRIMITIVES)
@pytest.mark.parametrize("here", PRIMITIVES)
def test_primitives_by_the_table(here: str, there: str) -> None:
    """The same, or one of the promotions of the specification."""
    found = incompatibilities(record(of(there)), record(of(here)))
    good = here == there or there in PROMOTIONS.get(here, ())
    assert found == ([] if good else [Incompatibility("a", f"the writer has {here}, the reader {there}")])


@pytest.mark.parametrize(("reader", "writer"), GOOD.values(), ids=GOOD)
def test_what_can_be_read(reader: Any, writer: Any) -> None:
    assert incompatibilities(record(of(reader)), record(of(writer))) == []


@pytest.mark.parametrize(("reader", "writer", "path", "why"), BAD.values(), ids=BAD)
def test_what_cannot_says_where_and_why(reader: Any, writer: Any, path: str, why: str) -> None:
    assert incompatibilities(record(of(reader)), record(of(writer))) == [Incompatibility(path, why)]


def test_fields_go_by_name_alias_and_default() -> None:
    """In any order."""
    writer = record(of("int"), of("string", "b"))
    assert incompatibilities(record(of("string", "b"), of("int")), writer) == []
    assert incompatibilities(record(of("string", "c", aliases=["b"])), writer) == []
    assert incompatibilities(record(of("int", "c", default=0)), writer) == []
    assert incompatibilities(record(of("int", "c")), writer) == [Incompatibility("c", NO_DEFAULT)]
    assert incompatibilities(record(of("int"), of("int", "b"), of("int", "c")), writer) == [
        Incompatibility("b", "the writer has string, the reader int"),
        Incompatibility("c", NO_DEFAULT),
    ]


def test_names_go_without_namespace_and_by_alias() -> None:
    writer = record(of("int"), name="Old", namespace="one")
    assert incompatibilities(record(of("int"), name="Old", namespace="two"), writer) == []
    assert incompatibilities(record(of("int"), name="New", aliases=["one.Old"]), writer) == []
    assert incompatibilities(record(of("int"), name="New"), writer) == [
        Incompatibility("the record itself", "the writer has record Old, the reader record New")
    ]


def test_types_that_are_named_again_or_hold_themselves() -> None:
    """A fault in one is told once, and there is an end."""
    writer, reader = (record(of(INNER), of("I", "b")), record(of(MORE_INSIDE), of("I", "b")))
    assert incompatibilities(reader, writer) == [Incompatibility("a.y", NO_DEFAULT)]
    chain = record(of(["null", "R"], "next"), of("int"))
    assert incompatibilities(chain, chain) == []
    assert incompatibilities(record(of(["null", "R"], "next"), of("boolean")), chain) == [
        Incompatibility("a", "the writer has int, the reader boolean")
    ]


@pytest.mark.parametrize(
    "schema",
    [
        17,
        {},
        record(of("nothing")),
        record(of("int", default="five")),
        record(of(enum("x", default="y"))),
        record(of(["null", "null"])),
        record(of(["null", ["int"]])),
        record(of(INNER), of(INNER, "b")),
    ],
)
def test_what_is_no_schema_is_said(schema: Any) -> None:
    """Of the reader and of the writer."""
    with pytest.raises(SchemaInvalid, match="the reader's schema is not Avro"):
        incompatibilities(schema, record(of("int")))
    with pytest.raises(SchemaInvalid, match="the writer's schema is not Avro"):
        incompatibilities(record(of("int")), schema)
