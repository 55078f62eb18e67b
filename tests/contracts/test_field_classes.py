"""Every field has its classes, the page in docs/ is made of them, and no class has moved a byte on the wire."""

import json
from pathlib import Path

import pytest
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.classes import as_markdown, classes, fields
from schemas.registry import catalogue_of_files, load
from schemas.walk import fields as walked
from schemas.walk import without_commentary

ROOT = Path(__file__).parents[2]
LISTED = sorted(catalogue_of_files().values())


@pytest.mark.parametrize("listed", LISTED, ids=lambda one: f"{one[0]}-{one[1]}")
def test_every_field_has_a_class_of_each_kind(listed: tuple[str, int]) -> None:
    """Those inside others, too; and only classes that are defined."""
    known = classes()
    found = fields(*listed)
    assert [one.path for one in found] == [path for path, _ in walked(load(*listed))]
    assert len({one.path for one in found}) == len(found)
    for one in found:
        assert one.privacy in known.privacy, one
        assert one.purpose in known.purpose, one
        assert one.retention in known.retention, one


def test_every_class_is_defined_in_a_sentence_and_used() -> None:
    known = classes()
    meanings = [*known.privacy.values(), *known.purpose.values(), *(one.meaning for one in known.retention.values())]
    assert all(meaning.endswith(".") for meaning in meanings)
    used = [one for record, version in LISTED for one in fields(record, version)]
    assert {one.privacy for one in used} == set(known.privacy)
    assert {one.purpose for one in used} == set(known.purpose)
    assert {one.retention for one in used} == set(known.retention)


def test_what_is_private_has_an_end() -> None:
    """What names a person is not kept without limit, and words and unknown things leave with the raw topics."""
    for record, version in LISTED:
        for one in fields(record, version):
            assert one.privacy == "technical" or one.retention != "forever_pseudonymous", (record, one)
            assert one.privacy not in ("sensitive", "free_text") or one.retention == "raw", (record, one)


def test_nested_fields_are_found() -> None:
    found = {one.path: one for one in fields("touchpoint")}
    assert found["identifiers[].value"].privacy == "personal"
    assert found["identifiers[].value"].purpose == "identify"
    assert found["answer.direction"].purpose == "score"
    assert found["text"].retention == "raw"


def test_classes_are_no_part_of_what_goes_over_the_wire() -> None:
    """The parsing canonical form of every version, and so its bytes and its id, is what it was."""
    pinned = json.loads((Path(__file__).with_name("golden") / "fingerprints.json").read_text(encoding="utf-8"))
    assert set(pinned) == {f"{record}-{version}" for record, version in LISTED}
    for record, version in LISTED:
        schema = load(record, version)
        canonical = to_parsing_canonical_form(schema)
        assert fingerprint(canonical, "sha256") == pinned[f"{record}-{version}"]
        assert to_parsing_canonical_form(without_commentary(schema)) == canonical


def test_the_page_is_made_from_the_schemas() -> None:
    page = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "make it again: schemas.classes.as_markdown()"
