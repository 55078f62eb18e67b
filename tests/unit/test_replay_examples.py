"""The examples of docs/examples, and the same mechanism on whole files."""

import io
import json
import re
from pathlib import Path

import pytest

from pipeline.events import Amount, Answer, Touchpoint
from pipeline.replay import datasets, mapping, ready
from pipeline.replay.source import SHOWN, Account, touchpoints
from schemas.catalogue import listed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECRET = b"0123456789abcdef"


def replayed(name: str, rejects: io.StringIO | None = None) -> tuple[list[Touchpoint], Account]:
    account = Account()
    plan = mapping.read(EXAMPLES / f"{name}.toml")
    return list(touchpoints(EXAMPLES / f"{name}.csv", plan, SECRET, account, rejects)), account


def test_every_example_has_its_data() -> None:
    mappings = {path.stem for path in EXAMPLES.glob("*.toml")}
    assert mappings
    assert mappings <= {path.stem for path in EXAMPLES.glob("*.csv")}


def test_a_survey_export_becomes_one_touchpoint_for_each_answer() -> None:
    rejects = io.StringIO()
    found, account = replayed("survey", rejects)
    assert (account.rows, account.fitted, account.left_out, account.rejected) == (7, 3, 1, 3)
    assert [t.answer for t in found[:3]] == [
        Answer("recommend", "nps", 0, 10, 9),
        Answer("support", "csat", 1, 5, 1, "low_is_good", "support"),
        Answer("easy", "ces", 1, 7, 6),
    ]
    assert found[3].text == "I called twice.\r\nNobody knew about the first call."
    written = [json.loads(line) for line in rejects.getvalue().splitlines()]
    assert [(one["line"], one["field"]) for one in written] == [
        (7, "answer.value"),
        (8, "occurred_at"),
        (9, "identifiers"),
    ]
    assert written[0]["row"]["Response ID"] == "R-1005"


def test_the_mapping_in_the_documentation_does_what_it_says(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (EXAMPLES.parent / "input.md").read_text(), re.DOTALL)
    file = tmp_path / "orders.csv"
    file.write_text(
        "order no;status;customer;mail;placed;total;paid;method\n"
        "1;done;C1;-;02.03.2026 10:00:00;1.234,50;02.03.2026 10:00:05;card\n"
        "2;draft;C1;-;02.03.2026 10:00:00;1,00;;\n"
        "3;done;;c@example.org;02.03.2026 10:00:00;0,99;;\n"
    )
    account = Account()
    found = list(touchpoints(file, mapping.parse(block), SECRET, account))
    assert [(t.event_type, t.occurred_at, t.amount) for t in found] == [
        ("order.placed", 1_772_442_000_000, Amount("EUR", 123_450)),
        ("order.paid", 1_772_442_005_000, None),
        ("order.placed", 1_772_442_000_000, Amount("EUR", 99)),
    ]
    assert (account.left_out, account.rejected) == (1, 0)


def test_the_same_file_gives_the_same_touchpoints() -> None:
    assert replayed("survey")[0] == replayed("survey")[0]


@pytest.mark.parametrize("name", ["survey", "tickets"])
def test_what_examples_make_is_in_the_catalogue(name: str) -> None:
    for touchpoint in replayed(name)[0]:
        assert touchpoint.channel in listed()[touchpoint.event_type].channels


@pytest.mark.parametrize("name", list(datasets.listed()))
def test_the_mappings_of_the_data_sets_are_sound(name: str) -> None:
    plan = mapping.read(datasets.listed()[name].mapping)
    assert plan.name == name
    assert plan.in_time_order


def test_of_many_rejects_some_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("broken\n" * 500)
    account, rejects = Account(), io.StringIO()
    plan = ready.ready("asterisk")
    assert list(touchpoints(file, plan, SECRET, account, rejects)) == []
    assert (account.rejected, len(account.first), len(rejects.getvalue().splitlines())) == (500, SHOWN, 500)
    assert account.reasons == {"has 1 cells instead of 18": 500}
