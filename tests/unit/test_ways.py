"""Which versions of a record become ours as they are."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.codec import plain
from pipeline.codec.ways import Way, way
from schemas.registry import Schema, load
from tests.harness.codecs import narrower, newer, older

OURS = plain(load("touchpoint"))


def changed(change: Callable[[dict[str, Any]], None], version: int | None = None) -> Schema:
    """A touchpoint's schema with something done to its fields, by their names."""
    schema = plain(load("touchpoint", version))
    change({field["name"]: field for field in schema["fields"]} | {"all": schema["fields"]})
    return schema


def test_our_own_version_lacks_nothing() -> None:
    found = way(OURS, OURS)
    assert found is not None
    assert (found.absent, found.lacking) == (frozenset(), b"")


def test_an_earlier_version_lacks_its_last_fields() -> None:
    found = way(plain(load("touchpoint", 1)), OURS)
    assert found is not None
    assert (found.absent, found.lacking) == (frozenset({"waited_ms"}), b"\0")


def test_with_other_fields_in_between_its_bytes_are_not_ours() -> None:
    found = way(plain(narrower()), OURS)
    assert found is not None
    assert (found.absent, found.lacking) == (frozenset({"answer", "product", "waited_ms"}), None)


def _retyped(fields: dict[str, Any]) -> None:
    fields["source_sequence"]["type"] = ["null", "int"]


def _swapped(fields: dict[str, Any]) -> None:
    fields["text"]["type"] = ["string", "null"]


@pytest.mark.parametrize(
    "schema",
    [plain(newer()), plain(older()), changed(_retyped), changed(_swapped)],
    ids=["symbol", "union", "type", "order"],
)
def test_what_has_to_be_resolved_has_no_way(schema: Schema) -> None:
    """Another symbol or type, branches in another order, or a union that is more than a value or nothing."""
    assert way(schema, OURS) is None


@pytest.mark.parametrize("more", [{"default": ""}, {"type": ["null", "string"], "default": None, "aliases": ["note"]}])
def test_what_is_not_null_without_a_value_has_to_be_resolved(more: dict[str, Any]) -> None:
    """Or what may have another name there."""
    ours = copy.deepcopy(OURS)
    ours["fields"].append({"name": "remark", "type": "string", **more})
    assert way(OURS, ours) is None


def test_two_fields_the_other_way_round_are_found_by_their_names() -> None:
    schema = changed(lambda fields: fields["all"].reverse())
    assert way(schema, OURS) == Way(way(schema, OURS).schema, frozenset(), None)  # type: ignore[union-attr]
