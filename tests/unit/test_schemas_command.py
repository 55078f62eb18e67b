"""`touchstream schemas`: every fault of a folder found and said in a line, and our schemas put into a registry."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.topics import subjects
from schemas import registry
from schemas.check import changed, faults
from schemas.registry import HttpRegistry, catalogue_of_files, load
from tests.harness.registry_server import Registered, answering

GOLDEN = Path(__file__).parents[1] / "contracts" / "golden"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the tester's own."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our schemas, to be spoilt."""
    return copied(tmp_path / "schemas")


def copied(to: Path) -> Path:
    """The first version of everything, so that a second one can be made up here."""
    shutil.copytree(registry.HERE, to, ignore=shutil.ignore_patterns("*.py", "__pycache__", "[2-9].avsc"))
    first = [(number, *one) for number, one in catalogue_of_files().items() if one[1] == 1]
    entries = [f'[[schema]]\nid = {number}\nrecord = "{record}"\nversion = {n}\n' for number, record, n in first]
    (to / "registry.toml").write_text("\n".join(entries))
    return to


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in schema["fields"] if one["name"] == name)
    return found  # type: ignore[no-any-return]


def rewrite(folder: Path, record: str, change: Change, version: int = 1, to: int = 1) -> None:
    """Write a version, changed; a new one gets the next id."""
    schema = json.loads((folder / record / f"{version}.avsc").read_text())
    change(schema)
    (folder / record / f"{to}.avsc").write_text(json.dumps(schema))
    if to > version:
        listed = folder / "registry.toml"
        number = listed.read_text().count("[[schema]]") + 1
        listed.write_text(f'{listed.read_text()}\n[[schema]]\nid = {number}\nrecord = "{record}"\nversion = {to}\n')


def nothing(schema: dict[str, Any]) -> None:
    """No change."""


def second(folder: Path, change: Change) -> list[str]:
    """What is said of a second version of a touchpoint."""
    rewrite(folder, "touchpoint", change, to=2)
    return [str(fault) for fault in faults(folder)]


def ran(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["schemas", *map(str, arguments)])


def test_our_own_schemas_have_no_fault() -> None:
    """The contract of the repository itself, with the bytes that are pinned."""
    assert faults(registry.HERE, GOLDEN) == []
    done = ran("check", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["faults"] == []
    assert "every version can read every other" in ran("check").stdout


COMPATIBLE: dict[str, Change] = {
    "the very same": nothing,
    "a field that may be missing": lambda s: s["fields"].append(
        {"name": "mood", "type": ["null", "string"], "default": None}
    ),
    "a symbol more": lambda s: field(s, "channel")["type"]["symbols"].append("hologram"),
    "a field less that may be missing": lambda s: s["fields"].remove(field(s, "campaign")),
    "other words": lambda s: s.update(doc="Other words."),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_what_may_be_done_in_a_second_version(folder: Path, change: Change) -> None:
    assert second(folder, change) == []


INCOMPATIBLE: dict[str, tuple[Change, list[str]]] = {
    "a field without default": (
        lambda s: s["fields"].append({"name": "mood", "type": "string"}),
        [
            "touchpoint: version 2 cannot read version 1 (backward): mood:"
            " the writer does not have it, and the reader has no default for it"
        ],
    ),
    "a field gone that must be there": (
        lambda s: s["fields"].remove(field(s, "source")),
        [
            "touchpoint: version 1 cannot read version 2 (forward): source:"
            " the writer does not have it, and the reader has no default for it"
        ],
    ),
    "a wider number inside": (
        lambda s: field(field(s, "answer")["type"][1], "value").update(type="long"),
        ["touchpoint: version 1 cannot read version 2 (forward): answer.value: the writer has long, the reader int"],
    ),
    "another type": (
        lambda s: field(s, "source").update(type="int"),
        [
            "touchpoint: version 1 cannot read version 2 (forward): source: the writer has int, the reader string",
            "touchpoint: version 2 cannot read version 1 (backward): source: the writer has string, the reader int",
        ],
    ),
    "another unit": (
        lambda s: field(s, "duration_ms").update(unit="seconds"),
        [
            "touchpoint: version 2 cannot read version 1 (backward): duration_ms: its unit was milliseconds and is seconds"
        ],
    ),
    "another logical type": (
        lambda s: field(s, "sent_at")["type"][1].update(logicalType="timestamp-micros"),
        [
            "touchpoint: version 2 cannot read version 1 (backward): sent_at:"
            " its logical type was timestamp-millis and is timestamp-micros"
        ],
    ),
    "no schema": (
        lambda s: field(s, "source").update(type="sting"),
        [
            "touchpoint: version 1 cannot read version 2 (forward):"
            " the writer's schema is not Avro: there is no type touchstream.sting",
            "touchpoint: version 2 cannot read version 1 (backward):"
            " the reader's schema is not Avro: there is no type touchstream.sting",
        ],
    ),
}


@pytest.mark.parametrize(("change", "said"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_what_may_not_says_versions_direction_place_and_reason(folder: Path, change: Change, said: list[str]) -> None:
    assert second(folder, change) == said
    done = ran("check", folder)
    assert done.exit_code == 65
    assert done.stderr.splitlines() == [f"touchstream: {line}" for line in said]
    found = json.loads(ran("check", folder, "--json").stdout)["faults"]
    assert [one["message"] for one in found] == said
    assert {one["direction"] for one in found} <= {"backward", "forward"}


def test_every_pair_is_compared_not_only_neighbours(folder: Path) -> None:
    """What each step allows, the whole way may not: a symbol's default that comes and goes."""
    rewrite(folder, "touchpoint", lambda s: s["fields"].remove(field(s, "campaign")), to=2)
    campaign = {"name": "campaign", "type": "int", "default": 0}
    rewrite(folder, "touchpoint", lambda s: s["fields"].append(campaign), version=2, to=3)
    assert {(one.reader, one.writer, one.path) for one in faults(folder)} == {(1, 3, "campaign"), (3, 1, "campaign")}


def edited(folder: Path, old: str, new: str) -> Path:
    listed = folder / "registry.toml"
    listed.write_text(listed.read_text().replace(old, new, 1))
    return folder


ENTRY = '\n[[schema]]\nid = 10\nrecord = "assignment"\nversion = 1\n'
NUMBERS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "an id twice": (
        lambda f: edited(f, "id = 10", "id = 9"),
        [
            "registry.toml: the id 9 is given to assertion version 1 and to assignment version 1: an id is given once",
            "assignment version 1: registry.toml has no id for it",
        ],
    ),
    "a version twice": (
        lambda f: edited(f, ENTRY, ENTRY + ENTRY.replace("10", "11")),
        ["registry.toml: assignment version 1 has the ids 10 and 11"],
    ),
    "no id": (lambda f: edited(f, ENTRY, ""), ["assignment version 1: registry.toml has no id for it"]),
    "no file": (
        lambda f: (f / "brief" / "1.avsc").unlink(),
        ["brief version 1: registry.toml lists it, and there is no brief/1.avsc"],
    ),
    "no number": (
        lambda f: edited(f, "id = 10", 'id = "ten"'),
        [
            "registry.toml: an entry must have id, record and version, and has"
            " {'id': 'ten', 'record': 'assignment', 'version': 1}",
            "assignment version 1: registry.toml has no id for it",
        ],
    ),
    "a version left out": (
        lambda f: rewrite(f, "brief", nothing, to=3),
        ["brief version 3: there is no version 2 before it"],
    ),
    "a file of no version": (
        lambda f: (f / "brief" / "new.avsc").write_text("{}"),
        ["brief: new.avsc is not called by a version, such as 1.avsc"],
    ),
    "no JSON": (lambda f: (f / "brief" / "1.avsc").write_text("{"), ["brief version 1: the file is not JSON"]),
}


@pytest.mark.parametrize(("spoil", "said"), NUMBERS.values(), ids=NUMBERS)
def test_ids_files_and_versions_belong_together(folder: Path, spoil: Callable[[Path], Any], said: list[str]) -> None:
    spoil(folder)
    assert [str(fault) for fault in faults(folder)] == said


def test_a_version_without_pinned_bytes_is_a_fault(folder: Path) -> None:
    rewrite(folder, "brief", nothing, to=2)
    assert [str(fault) for fault in faults(folder, GOLDEN)] == [
        "brief version 2: its bytes are not pinned: golden/brief-2.json is missing"
    ]
    assert "pinned bytes were not looked at" in ran("check", folder).stdout


def test_what_was_published_stays(folder: Path, tmp_path: Path) -> None:
    """A new version is added; words, classes and layout of a file may change."""
    published = copied(tmp_path / "published")
    rewrite(folder, "touchpoint", COMPATIBLE["a symbol more"], to=2)
    rewrite(folder, "brief", lambda s: [one.update(doc="D.", privacy="personal", purpose="x") for one in s["fields"]])
    assert changed(folder, published) == []
    assert ran("check", folder, "--against", published).exit_code == 0


PUBLISHED: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "a default": (
        lambda f: rewrite(f, "touchpoint", lambda s: field(s, "actor_type").update(default="device")),
        ["touchpoint version 1: it was published and has been changed: take it back and make the next version"],
    ),
    "an attribute's value in a default": (
        lambda f: rewrite(f, "touchpoint", lambda s: field(s, "attributes").update(default={"doc": "x"})),
        ["touchpoint version 1: it was published and has been changed: take it back and make the next version"],
    ),
    "the order of fields": (
        lambda f: rewrite(f, "brief", lambda s: s["fields"].reverse()),
        ["brief version 1: it was published and has been changed: take it back and make the next version"],
    ),
    "an id used again": (
        lambda f: edited(f, 'record = "assignment"', 'record = "brief"'),
        ["assignment version 1: its id 10 was published and is gone"],
    ),
    "ids exchanged": (
        lambda f: (edited(f, "id = 9", "id = 0"), edited(f, "id = 10", "id = 9"), edited(f, "id = 0", "id = 10")),
        [
            "assertion version 1: its id 9 was published and is now that of assignment version 1",
            "assignment version 1: its id 10 was published and is now that of assertion version 1",
        ],
    ),
    "a record gone": (
        lambda f: shutil.rmtree(edited(f, ENTRY, "") / "assignment"),
        [
            "assignment version 1: its id 10 was published and is gone",
            "assignment version 1: it was published and is gone",
        ],
    ),
}


@pytest.mark.parametrize(("spoil", "said"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_change_of_what_was_published_is_found(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: list[str]
) -> None:
    published = copied(tmp_path / "published")
    spoil(folder)
    assert [str(fault) for fault in changed(folder, published)] == said
    assert ran("check", folder, "--against", published).exit_code == 65


def test_a_folder_that_is_none_is_66(tmp_path: Path, folder: Path) -> None:
    done = ran("check", "--against", tmp_path / "nothing")
    assert done.exit_code == 66
    assert "is no folder of schemas: No such file or directory" in done.stderr
    (folder / "registry.toml").write_text("=")
    assert ran("check", folder).exit_code == 66


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registered]:
    """A registry that the settings name."""
    held = Registered()
    with answering(held.answer) as url:
        monkeypatch.setenv("TOUCHSTREAM_REGISTRY_URL", url)
        monkeypatch.setenv("TOUCHSTREAM_TOPIC_PREFIX", "shop.")
        yield held


def test_every_topics_schema_is_registered_once(server: Registered) -> None:
    """A dry run only asks; a second run changes nothing; and what a stage asks for is what it gets."""
    dry = ran("register", "--dry-run", "--json")
    assert dry.exit_code == 1
    assert {one["state"] for one in json.loads(dry.stdout)} == {"missing"}
    assert (server.subjects, server.levels) == ({}, {})
    done = ran("register")
    assert done.exit_code == 0, done.output
    expected = subjects("shop.")
    assert set(server.subjects) == set(expected)
    assert server.levels == dict.fromkeys(expected, "FULL_TRANSITIVE")
    for subject, record in expected.items():
        versions = sorted(n for name, n in catalogue_of_files().values() if name == record)
        assert [json.loads(server.texts[one]) for one in server.subjects[subject]] == [
            load(record, n) for n in versions
        ]
    held = json.dumps(server.subjects)
    again = json.loads(ran("register", "--json").stdout)
    assert {one["state"] for one in again} == {"known"}
    assert json.dumps(server.subjects) == held


def test_what_the_registry_refuses_is_said_in_its_words(server: Registered) -> None:
    server.refuses.add("shop.scores.v1-value")
    done = ran("register")
    assert done.exit_code == 65
    line = done.stderr.splitlines()[-1]
    assert line == (
        "touchstream: the registry refuses POST /subjects/shop.scores.v1-value/versions:"
        " HTTP 409: Schema being registered is incompatible for shop.scores.v1-value"
    )


def test_a_registry_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address is 78, no answer 69."""
    done = ran("register")
    assert (done.exit_code, "set TOUCHSTREAM_REGISTRY_URL" in done.stderr) == (78, True)
    monkeypatch.setenv("TOUCHSTREAM_REGISTRY_URL", "http://127.0.0.1:1")
    done = ran("register")
    assert (done.exit_code, "does not answer" in done.stderr) == (69, True)


def test_looking_up_registers_nothing(server: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    found = HttpRegistry(os.environ["TOUCHSTREAM_REGISTRY_URL"])
    assert found.look_up("shop.scores.v1-value", load("score")) is None
    number = found.register("shop.scores.v1-value", load("score"))
    assert (
        found.look_up("shop.scores.v1-value", load("score"))
        == number
        == found.schema_id("score", "shop.scores.v1-value")
    )
