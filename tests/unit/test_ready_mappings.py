"""The ready mappings: each example comes out as documented, field by field, whole or in pieces."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.replay import mapper, ready
from pipeline.replay.fields import MappingFault
from pipeline.replay.row import BadRow, Row
from pipeline.replay.rows import read_rows
from pipeline.replay.source import Account, touchpoints
from schemas.catalogue import listed
from tests.harness.mappings import EXAMPLES, SECRET, example, expected, found, rows_of

# What the catalogue has no word for.
OWN_TYPES = {"chat.message_received", "email.delivered", "email.failed", "event.tracked"}


def made(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [judged["touchpoint"] for row in rows for judged in row["touchpoints"]]


def test_every_ready_mapping_has_an_example_and_what_comes_of_it() -> None:
    assert {path.name.removesuffix(".expected.jsonl") for path in EXAMPLES.glob("*.expected.jsonl")} == {*ready.names()}


@pytest.mark.parametrize("name", ready.names())
def test_the_example_comes_out_as_documented(name: str) -> None:
    rows, documented = found(name), expected(name)
    assert len(rows) == len(documented)
    for row, wanted in zip(rows, documented, strict=True):
        assert {**row, "touchpoints": []} == {**wanted, "touchpoints": []}
        for judged, known in zip(row["touchpoints"], wanted["touchpoints"], strict=True):
            for field in judged["touchpoint"].keys() | known["touchpoint"].keys():
                place = f"row {row['row']}, {known['touchpoint']['event_type']}, {field}"
                assert judged["touchpoint"].get(field) == known["touchpoint"].get(field), place
            assert judged == known


@pytest.mark.parametrize("name", ready.names())
def test_the_example_shows_what_fits_and_what_does_not(name: str) -> None:
    rows = found(name)
    assert {"fits"} < {row["outcome"] for row in rows}
    assert any(judged["rejected"] is None for row in rows for judged in row["touchpoints"])


@pytest.mark.parametrize("name", ready.names())
def test_it_is_called_like_its_file_and_says_what_it_reads(name: str) -> None:
    assert ready.ready(name).name == name
    assert len(ready.ready(name).about) > 20


@pytest.mark.parametrize("name", ready.names())
def test_what_it_makes_is_in_the_catalogue(name: str) -> None:
    for touchpoint in made(found(name)):
        if touchpoint["event_type"] not in OWN_TYPES:
            assert touchpoint["channel"] in listed()[touchpoint["event_type"]].channels, touchpoint["event_type"]


@pytest.mark.parametrize("name", ready.names())
def test_event_ids_do_not_depend_on_where_a_row_stands(name: str) -> None:
    """Bodies arrive one by one, and again: a row's number is no name."""
    assert ready.ready(name).id_from in ("columns", "content")


@pytest.mark.parametrize("name", ready.names())
def test_a_body_in_memory_gives_the_rows_of_the_file(name: str) -> None:
    plan = ready.ready(name)
    body = example(name).read_bytes()
    whole = read_rows(example(name), plan.layout, plan.columns)
    assert [_content(row) for row in rows_of(plan, body)] == [_content(row) for row in whole]


@pytest.mark.parametrize("name", [name for name in ready.names() if ready.ready(name).layout.format == "json"])
def test_bodies_one_by_one_give_the_touchpoints_of_the_file(name: str, tmp_path: Path) -> None:
    text = example(name).read_text()
    value = json.loads(text) if example(name).suffix == ".json" else None
    documents = [json.dumps(one) for one in value] if isinstance(value, list) else text.splitlines()
    if isinstance(value, dict):
        documents = [json.dumps({**value, "data": [one]}) for one in value["data"]]
    single = [row for document in documents for row in rows_of(ready.ready(name), document.encode())]
    whole = rows_of(ready.ready(name), text.encode())
    assert [_content(row)[1:] for row in single] == [_content(row)[1:] for row in whole]


def _content(row: Row | BadRow) -> Any:
    """The intake has reasons of its own for what is none."""
    return (row.number, row.cells, row.around) if isinstance(row, Row) else (row.number,)


def test_call_detail_records_become_calls_from_the_queue_to_the_end() -> None:
    account = Account()
    calls = list(touchpoints(example("asterisk"), ready.ready("asterisk"), SECRET, account))
    assert (account.rows, account.fitted, account.left_out, account.rejected) == (6, 4, 1, 1)
    assert [(one.line, one.field, one.reason) for one in account.first] == [(5, "identifiers", "missing")]
    first = [t for t in calls if t.source_session == "1772438405.1"]
    assert [(t.event_type, t.occurred_at) for t in first] == [
        ("call.queued", 1_772_442_005_000),
        ("call.answered", 1_772_442_017_000),
        ("call.ended", 1_772_442_151_000),
    ]
    assert (first[2].duration_ms, first[2].outcome) == (134_000, "resolved")


def test_an_answer_of_a_survey_keeps_its_id_whatever_else_is_answered() -> None:
    def ids(answers: dict[str, Any]) -> dict[str, str]:
        data = {"id": "r1", "updatedAt": "2026-03-02T10:00:00Z", "data": answers}
        body = json.dumps({"event": "responseFinished", "data": data}).encode()
        plan = ready.ready("formbricks")
        rows = [row for row in rows_of(plan, body) if isinstance(row, Row)]
        answered = mapper.touchpoints(plan, SECRET, rows[0])
        return {t.answer.question if t.answer else t.attributes["question"]: t.event_id for t in answered}

    few, more = ids({"nps": 9, "why": "good"}), ids({"why": "good", "csat": 5, "nps": 9})
    assert few == {question: more[question] for question in few}
    assert len({*more.values()}) == 3


def test_a_path_serves_wherever_a_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "asterisk"
    own.write_text(ready.text("asterisk").replace('name = "asterisk"', 'name = "my-own"'))
    assert ready.find("asterisk").name == "asterisk"
    assert {ready.find("./asterisk").name, ready.find(str(own)).name} == {"my-own"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("astersik", "neither a file nor a ready mapping 'astersik'; ready: asterisk, "),
        ("", "neither a file nor a ready mapping ''"),
        ("no/such.toml", "cannot read the mapping no/such.toml"),
        ("../replay/mappings/ecom", "cannot read the mapping ../replay/mappings/ecom"),
        ("long" * 2000, "a"),
    ],
)
def test_a_name_that_is_none_is_told_so(name: str, said: str) -> None:
    with pytest.raises(MappingFault) as caught:
        ready.find(name)
    assert said in str(caught.value)


def test_only_names_are_ready() -> None:
    for name in ("../replay/mappings/ecom", "cdnow", ""):
        with pytest.raises(MappingFault, match="there is no ready mapping"):
            ready.ready(name)
        with pytest.raises(MappingFault, match="there is no ready mapping"):
            ready.text(name)


def test_the_rejects_of_a_ready_mapping_keep_the_row(tmp_path: Path) -> None:
    rejects = io.StringIO()
    list(touchpoints(example("jsonl"), ready.ready("jsonl"), SECRET, Account(), rejects))
    written = [json.loads(line) for line in rejects.getvalue().splitlines()]
    assert [(one["line"], one["reason"].split(" ")[0], bool(one["row"])) for one in written] == [
        (3, "not", True),
        (4, "is", True),
    ]
    assert written[1]["row"] == "not a document"
