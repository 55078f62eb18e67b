"""Every version as writer with every version as reader, through both codecs: each pair reads as the Avro specification says."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.codec import Codec, Decoder, Encoder
from pipeline.events import Rejection, Resolved
from processors.resolve import Admitted, ResolvedWriter, added
from schemas import registry
from schemas.check import changed, faults
from schemas.registry import FileRegistry, Schema, catalogue_of_files, load
from schemas.walk import fields
from tests.contracts import pin
from tests.harness.codecs import CODECS, codec
from tests.harness.evolution import records_of
from tests.harness.evolved import ADDED, evolved_folder, released_with
from tests.harness.touchpoints import Record, raw, touchpoint

OURS: Final = registry.HERE
NEWEST: Final = {"old": 2, "new": 3}
RECORDS: Final = ("touchpoint", "resolved_touchpoint")
ENOUGH: Final = 80  # so many that the fast codec reads them in one piece


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schemas of a later release."""
    return evolved_folder(tmp_path_factory.mktemp("later") / "schemas")


@pytest.fixture(params=CODECS)
def each(request: pytest.FixtureRequest) -> Codec:
    """Each codec."""
    return codec(request.param)


@pytest.fixture(params=NEWEST)
def writer(request: pytest.FixtureRequest) -> str:
    """Which release writes."""
    return str(request.param)


@pytest.fixture(params=NEWEST)
def reader(request: pytest.FixtureRequest) -> str:
    """Which release reads."""
    return str(request.param)


def as_read(value: Any, writer: Any, reader: Any) -> Any:
    """A value of the writer's as the specification has the reader see it, for types that differ in fields and symbols alone."""
    if value is None:
        return None
    if isinstance(writer, list):
        return as_read(value, writer[1], reader[1])
    kind = writer["type"] if isinstance(writer, dict) else writer
    if kind == "record":
        there = {field["name"]: field["type"] for field in writer["fields"]}
        return {
            field["name"]: as_read(value[field["name"]], there[field["name"]], field["type"])
            if field["name"] in there
            else field["default"]
            for field in reader["fields"]
        }
    if kind == "array":
        return [as_read(item, writer["items"], reader["items"]) for item in value]
    if kind == "enum":
        return value if value in reader["symbols"] else reader["default"]
    return value


def folder_of(release: str, evolved: Path) -> Path:
    """The schemas that a release has."""
    return evolved if release == "new" else OURS


def enough(schema: Schema) -> list[Record]:
    """Records that show every branch and symbol, often enough for the fast codec."""
    records = records_of(schema)
    return records * (ENOUGH // len(records) + 1)


def written(each: Codec, record: str, release: str, evolved: Path) -> tuple[list[Record], list[bytes]]:
    """Records and their bytes, written by a release."""
    with released_with(folder_of(release, evolved)):
        records = enough(load(record))
        return records, each.encoder(record, FileRegistry(evolved if release == "new" else None), "").encode_all(
            records
        )


@pytest.mark.parametrize("record", RECORDS)
def test_every_pair_reads_as_the_specification_says(
    each: Codec, writer: str, reader: str, record: str, evolved: Path
) -> None:
    """One by one, in a batch and by columns. The registry knows all versions, as one that all releases share does."""
    records, values = written(each, record, writer, evolved)
    there, here = load(record, NEWEST[writer], evolved), load(record, NEWEST[reader], evolved)
    with released_with(folder_of(reader, evolved)):
        decoder = each.decoder(record, FileRegistry(evolved))
    expected = [as_read(one, there, here) for one in records]
    assert decoder.decode_all(values) == expected
    assert [decoder.decode(value) for value in values[:5]] == expected[:5]
    columns = decoder.decode_columns(values)
    assert columns.rejected == []
    assert columns.by_name["channel"] == [one["channel"] for one in expected]
    assert columns.by_name["answer.value"] == [one["answer"] and one["answer"]["value"] for one in expected]
    if reader == "new":
        assert columns.by_name["place.side"] == [one["place"] and one["place"]["side"] for one in expected]
        assert columns.by_name["priority"] == [one["priority"] for one in expected]


@pytest.mark.parametrize("record", RECORDS)
def test_versions_mixed_in_one_batch(each: Codec, reader: str, record: str, evolved: Path) -> None:
    """As they are while producers move to a new version; in order."""
    here = load(record, NEWEST[reader], evolved)
    mixed, expected = list[bytes](), list[Any]()
    for release, version in NEWEST.items():
        records, values = written(each, record, release, evolved)
        mixed += values
        expected += [as_read(one, load(record, version, evolved), here) for one in records]
    with released_with(folder_of(reader, evolved)):
        decoder = each.decoder(record, FileRegistry(evolved))
    assert decoder.decode_all(mixed[::2] + mixed[1::2]) == expected[::2] + expected[1::2]


def test_what_the_new_version_brings_is_seen_and_its_defaults_are(each: Codec, evolved: Path) -> None:
    """In so many words, beside the rule above."""
    _, old = written(each, "touchpoint", "old", evolved)
    with released_with(evolved):
        new = each.encoder("touchpoint", FileRegistry(), "").encode_all(
            [{**touchpoint(channel="kiosk"), "mood": "fine", "priority": 1, "labels": ["a"], "place": None}] * ENOUGH
        )
        found = each.decoder("touchpoint", FileRegistry()).decode_all(old)
    assert {str(one.get("priority")) for one in found if isinstance(one, dict)} == {"3"}
    assert all(isinstance(one, dict) and one["labels"] == [] and one["place"] is None for one in found)
    (seen,) = {
        one["channel"]
        for one in each.decoder("touchpoint", FileRegistry(evolved)).decode_all(new)
        if isinstance(one, dict)
    }
    assert seen == "other"


def test_a_reader_that_does_not_know_the_new_id_rejects(each: Codec, evolved: Path) -> None:
    """Files alone know no version of a later release: the record is kept as rejected, and can be sent again after the upgrade."""
    _, values = written(each, "touchpoint", "new", evolved)
    found = each.decoder("touchpoint", FileRegistry()).decode_all(values)
    assert {one.reason for one in found if isinstance(one, Rejection)} == {"schema_unknown"}
    assert len(found) == len(values)


@pytest.mark.parametrize("raw_release", NEWEST)
@pytest.mark.parametrize("stage_release", NEWEST)
def test_the_resolve_stage_copies_its_own_version_and_writes_others_anew(
    each: Codec, raw_release: str, stage_release: str, evolved: Path
) -> None:
    """Whatever the producer's release and the stage's: what it writes is its own version of a resolved touchpoint."""
    _, values = written(each, "touchpoint", raw_release, evolved)
    with released_with(folder_of(stage_release, evolved)):
        shared = FileRegistry(evolved)
        own = FileRegistry()
        decoder = each.decoder("touchpoint", shared)
        records = decoder.decode_all(values)
        admitted = [
            (value, Admitted(record, Resolved("p_1", "customer:1", 0, raw(value, offset).origin)))
            for offset, (value, record) in enumerate(zip(values, records, strict=True))
            if isinstance(record, dict)
        ]
        whole: Encoder = each.encoder("resolved_touchpoint", own, "")
        out = ResolvedWriter(whole, decoder).write_all(admitted)
        found = each.decoder("resolved_touchpoint", own).decode_all(out)
    assert len(admitted) == len(values)
    assert found == [{**one.record, **added(one.resolved)} for _, one in admitted]


def test_the_evolved_folder_is_one_that_may_be_released(evolved: Path) -> None:
    """By our own check, also against what is released now; its resolved touchpoint begins with its touchpoint."""
    assert faults(evolved) == []
    assert changed(evolved, OURS) == []
    assert FileRegistry(evolved).schema_id("touchpoint", "") == 901
    assert FileRegistry(evolved).schema_id("session", "") == FileRegistry().schema_id("session", "")
    touch, resolved = load("touchpoint", 3, evolved)["fields"], load("resolved_touchpoint", 3, evolved)["fields"]
    assert resolved[: len(touch)] == touch
    assert set(catalogue_of_files()) < set(catalogue_of_files(evolved))
    assert not set(catalogue_of_files()) & {901, 902}, "our own ids have come to those of the tests"
    grown = {path for path, _ in fields(load("touchpoint", 3, evolved))} - {
        path for path, _ in fields(load("touchpoint", 2, evolved))
    }
    assert {"mood", "priority", "labels", "place", "place.store", "place.side"} <= grown
    assert (ADDED / "touchpoint" / "3.avsc").is_file()


def test_a_new_version_is_pinned_by_one_command(evolved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is pinned already stays as it is; then the check has nothing to say."""
    golden = Path(shutil.copytree(pin.GOLDEN, tmp_path / "golden"))
    monkeypatch.setattr(pin, "GOLDEN", golden)
    before = {path.name: path.read_bytes() for path in golden.iterdir() if path.name != "fingerprints.json"}
    assert {fault.record for fault in faults(evolved, golden)} == set(RECORDS)
    with released_with(evolved):
        pin.main()
        made = json.loads((golden / "touchpoint-3.json").read_text(encoding="utf-8"))
        assert Decoder("touchpoint", FileRegistry()).decode(bytes.fromhex(made["hex"])) == made["record"]
    assert faults(evolved, golden) == []
    assert {name: (golden / name).read_bytes() for name in before} == before
    pinned = json.loads((golden / "fingerprints.json").read_text(encoding="utf-8"))
    assert set(pinned) == {f"{record}-{version}" for record, version in catalogue_of_files(evolved).values()}


def test_a_default_is_each_records_own(evolved: Path) -> None:
    """A record that somebody changes does not change the next one's."""
    _, values = written(codec("fastavro"), "touchpoint", "old", evolved)
    with released_with(evolved):
        found = Decoder("touchpoint", FileRegistry()).decode_all(values[:2])
    first, second = copy.copy(found)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    first["labels"].append("mine")
    assert second["labels"] == []


@pytest.fixture(autouse=True)
def same_home() -> Iterator[None]:
    """Whatever a test did, our own folder is ours again."""
    yield
    assert registry.HERE == OURS
