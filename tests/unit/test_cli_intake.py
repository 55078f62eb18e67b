"""`touchstream intake`: what it shows, what it refuses, and that the commands of docs/mappings.md do what the page says."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.replay import mapping, ready
from tests.harness.mappings import EXAMPLES, example, expected

PAGE = EXAMPLES.parent / "mappings.md"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is not there, and no settings of the tester's own."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOUCHSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def ran(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["intake", *map(str, arguments)])


def refused(code: int, part: str, *arguments: Any) -> None:
    done = ran(*arguments)
    assert done.exit_code == code, done.output
    assert part in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", ["try", "mappings"])
def test_help_has_an_example(command: str) -> None:
    done = ran(command, "--help")
    assert done.exit_code == 0
    assert "Example: touchstream intake" in done.output


def test_help_says_that_personal_data_are_shown() -> None:
    assert "personal data" in ran("try", "--help").output


@pytest.mark.parametrize("name", ready.names())
def test_json_has_one_document_for_each_row(name: str) -> None:
    done = ran("try", name, example(name), "--json")
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [_without_ids(row) for row in found] == [_without_ids(row) for row in expected(name)]


def _without_ids(row: dict[str, Any]) -> dict[str, Any]:
    """Ids are keyed with the installation's secret, which is not the one of the documented ones."""
    judged = [{**one, "touchpoint": {**one["touchpoint"], "event_id": ""}} for one in row["touchpoints"]]
    return {**row, "touchpoints": judged}


def test_people_read_fields_reasons_and_what_would_be_rejected() -> None:
    done = ran("try", "csv", example("csv"))
    lines = done.stdout.splitlines()
    assert lines[0] == "row 1 (line 2): 1 touchpoint"
    assert "    occurred_at            2026-03-02T08:00:00.000Z" in lines
    assert "    identifier             email:customer17@example.org" in lines
    assert "    amount.minor_units     1999" in lines
    assert "row 4 (line 5): does not fit: occurred_at: no time as iso" in lines
    assert any(line.startswith("  store.visited  -- would be rejected: time_too_early") for line in lines)
    assert "  store.served  -- a duplicate of row 1" in lines
    assert "3 touchpoints would be taken, 1 would be rejected, 1 are duplicates" in done.stderr
    assert "row 4 (line 4): left out by a condition" in ran("try", "asterisk", example("asterisk")).stdout


def test_a_limit_ends_it() -> None:
    done = ran("try", "asterisk", example("asterisk"), "--json", "--limit", 2)
    assert [json.loads(line)["row"] for line in done.stdout.splitlines()] == [1, 2]
    assert ran("try", "asterisk", example("asterisk"), "--limit", 0).exit_code == 2


def test_trying_leaves_nothing_behind_and_takes_the_secret_that_is_there(tmp_path: Path) -> None:
    first = ran("try", "jsonl", example("jsonl"), "--json").stdout
    assert not (tmp_path / "home").exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret").write_text("0123456789abcdef")
    assert ran("try", "jsonl", example("jsonl"), "--json").stdout != first
    found = [json.loads(line) for line in ran("try", "jsonl", example("jsonl"), "--json").stdout.splitlines()]
    assert found == expected("jsonl")


def test_a_mapping_file_serves_as_well_as_a_name(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(ready.text("asterisk").replace('zone = "UTC"', 'zone = "Europe/Berlin"'))
    done = ran("try", "own.toml", example("asterisk"))
    assert "    occurred_at            2026-03-02T08:00:05.000Z" in done.stdout.splitlines()


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path) -> None:
    line = {"event_id": "1", "event_type": "chat.started", "channel": "chat", "source": "s", "customer": "c"}
    text = json.dumps(
        {
            **line,
            "occurred_at": "2026-03-02T10:00:00Z",
            "text": "\x1b[2J\x9b31m\r\n[bold]Grüße",
            "attributes": {"\x1b": 1},
        }
    )
    (tmp_path / "f.json").write_text(text)
    shown = ran("try", "jsonl", "f.json").stdout
    assert not {"\x1b", "\x9b", "\r"} & {*shown}
    assert "    text                   \\u001b[2J\\u009b31m\\r\\n[bold]Grüße" in shown.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("nothing-ready", "f.json"), 78, "neither a file nor a ready mapping 'nothing-ready'; ready: asterisk"),
        (("no/such.toml", "f.json"), 78, "cannot read the mapping no/such.toml"),
        (("asterisk", "nowhere.csv"), 66, "cannot read nowhere.csv: No such file"),
        (("asterisk", "."), 66, "cannot read .: Is a directory"),
        (("jsonl", "broken.json"), 65, "nothing in broken.json would be taken"),
        (("jsonl", "empty.json"), 65, "nothing in empty.json would be taken"),
        (("jsonl", "torn.gz"), 65, "torn.gz breaks off at line 1"),
        (("tickets.toml", "broken.json"), 65, "broken.json has no column opened, sender, subject, ticket"),
    ],
)
def test_what_it_refuses(arguments: tuple[Any, ...], code: int, part: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{ broken")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "torn.gz").write_bytes(b"\x1f\x8bnot gzip")
    (tmp_path / "tickets.toml").write_text((EXAMPLES / "tickets.toml").read_text())
    refused(code, part, "try", *arguments)


def test_wrong_settings_are_78(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTREAM_TIMEZONE", "Moon/Sea")
    refused(78, "timezone", "try", "csv", example("csv"))


def test_the_ready_mappings_are_listed_and_printed() -> None:
    lines = ran("mappings").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(ready.names())
    printed = ran("mappings", "chatwoot").stdout
    assert mapping.parse(printed).name == "chatwoot"
    refused(78, "there is no ready mapping 'cdnow'", "mappings", "cdnow")


def test_every_command_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parents[1])
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines() if line]
    assert ["touchstream", "intake", "mappings"] in commands
    for program, *arguments in commands:
        assert program == "touchstream"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (arguments, done.output)


def test_the_ten_lines_of_the_page_are_the_file_that_its_command_takes() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert block == (EXAMPLES / "tickets.toml").read_text()
    assert len(block.splitlines()) <= 10
    done = ran("try", EXAMPLES / "tickets.toml", EXAMPLES / "tickets.csv")
    assert "2 touchpoints would be taken" in done.stderr
    assert "row 2 (line 3): does not fit: identifiers: missing" in done.stdout


def test_the_page_names_every_ready_mapping_and_every_type_of_the_examples() -> None:
    page = PAGE.read_text()
    for name in ready.names():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        if name not in ("csv", "jsonl"):
            types = {one["touchpoint"]["event_type"] for row in expected(name) for one in row["touchpoints"]}
            assert not [kind for kind in types if f"`{kind}`" not in line], name
