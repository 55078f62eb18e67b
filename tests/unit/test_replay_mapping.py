"""The mapping language: what each word does, and what a wrong mapping is told."""

from typing import Any

import pytest

from pipeline.events import Amount, Answer, Identifier, Promise, Touchpoint
from pipeline.replay.fields import MappingFault, Misfit
from pipeline.replay.mapper import MOST_ENTRIES, touchpoints
from pipeline.replay.mapping import parse
from pipeline.replay.rows import Row

SECRET = b"0123456789abcdef"
HEAD = 'name = "test"\n'
TOUCHPOINT = """
[[touchpoint]]
event_type = "call.ended"
channel = "call"
source = "pbx"
occurred_at = { column = "at", parse = "epoch_ms" }
identifiers = [{ namespace = "phone", column = "phone" }]
"""
CELLS = {"at": "1700000000000", "phone": "+99900000001"}


def mapped(more: str = "", head: str = HEAD, number: int = 1, **cells: str) -> list[Touchpoint]:
    return touchpoints(parse(head + TOUCHPOINT + more), SECRET, Row(number + 1, number, {**CELLS, **cells}))


def one(more: str = "", **cells: str) -> Touchpoint:
    (touchpoint,) = mapped(more, HEAD, 1, **cells)
    return touchpoint


@pytest.mark.parametrize(
    ("line", "cells", "field", "value"),
    [
        ('agent = "a1"', {}, "agent", "a1"),
        ('agent = { const = "a1" }', {}, "agent", "a1"),
        ('agent = { column = "x" }', {"x": " a1 "}, "agent", "a1"),
        ('agent = { column = "x" }', {"x": " "}, "agent", None),
        ('agent = { column = "x", default = "nobody" }', {"x": ""}, "agent", "nobody"),
        ('agent = { column = "x", empty = ["-"] }', {"x": "-"}, "agent", None),
        ('agent = { template = "{x}/{y}{{}}" }', {"x": "1", "y": "2"}, "agent", "1/2{}"),
        ('agent = { template = "{x}/{y}" }', {"x": "1", "y": ""}, "agent", None),
        ('outcome = { column = "x", map = { 1 = "resolved" } }', {"x": "1"}, "outcome", "resolved"),
        ('outcome = { column = "x", map = { 1 = "resolved" }, default = "other" }', {"x": "2"}, "outcome", "other"),
        ('outcome = { column = "x", map = { 1 = "resolved" } }', {"x": ""}, "outcome", None),
        ("source_sequence = { row = true }", {}, "source_sequence", 1),
        ('duration_ms = { column = "x", parse = "s" }', {"x": "90"}, "duration_ms", 90_000),
        ('sent_at = { column = "at", parse = "epoch_ms", per_row_ms = 5 }', {}, "sent_at", 1_700_000_000_005),
        (
            'sent_at = { column = "at", parse = "epoch_ms", plus = { column = "x", parse = "s" }, minus = { const = 1 } }',
            {"x": "2"},
            "sent_at",
            1_700_000_001_999,
        ),
        (
            'amount = { currency = "EUR", minor_units = { column = "x", decimal = "," } }',
            {"x": "1,5"},
            "amount",
            Amount("EUR", 150),
        ),
        ('amount = { currency = "EUR", minor_units = { column = "x" } }', {"x": ""}, "amount", None),
        (
            'promise = { promise_id = { column = "x" }, kind = "callback", due_at = { column = "at", parse = "epoch_ms" } }',
            {"x": "p1"},
            "promise",
            Promise("p1", "callback", 1_700_000_000_000),
        ),
        (
            'answer = { question = "q", metric = "ces", scale_min = 1, scale_max = 7, value = { column = "x" } }',
            {"x": "7"},
            "answer",
            Answer("q", "ces", 1, 7, 7),
        ),
        ('attributes = { a = { column = "x" }, b = { column = "y" } }', {"x": "1", "y": ""}, "attributes", {"a": "1"}),
        (
            'attributes = { "*" = "p" }',
            {"p.a": " 1 ", "p.b.c": "2", "p": "3", "pq.a": "4", "p.d": " "},
            "attributes",
            {"a": "1", "b.c": "2"},
        ),
        (
            'attributes = { "*" = ["p", "q"], a = { column = "x" } }',
            {"p.a": "1", "q.b": "2", "x": "3"},
            "attributes",
            {"a": "3", "b": "2"},
        ),
        ('agent = { column = ["x", "y"] }', {"x": " ", "y": "a2"}, "agent", "a2"),
        ('agent = { column = ["x", "y"] }', {"x": "a1", "y": "a2"}, "agent", "a1"),
        ('agent = { column = ["x", "y"] }', {}, "agent", None),
        ('outcome = { column = "x", map = { "" = "open", 1 = "resolved" } }', {"x": ""}, "outcome", "open"),
        (
            'outcome = { column = "x", empty = ["-"], map = { "" = "open" }, default = "other" }',
            {"x": "-"},
            "outcome",
            "open",
        ),
        ('outcome = { column = "x", map = { "" = "open" }, default = "other" }', {"x": "2"}, "outcome", "other"),
        ('sent_at = { column = "x", parse = "epoch_s" }', {"x": "1521472262.908181"}, "sent_at", 1_521_472_262_908),
    ],
)
def test_each_word_of_the_language(line: str, cells: dict[str, str], field: str, value: Any) -> None:
    assert getattr(one(line, **cells), field) == value


def test_several_identifiers_are_kept_once_each_and_empty_ones_left_out() -> None:
    phone = '{ namespace = "phone", column = "phone" }'
    more = TOUCHPOINT.replace(phone, f'{phone}, {phone}, {{ namespace = "email", column = "mail" }}')
    row = Row(2, 1, {**CELLS, "mail": ""})
    (touchpoint,) = touchpoints(parse(HEAD + more), SECRET, row)
    assert touchpoint.identifiers == [Identifier("phone", "+99900000001")]


@pytest.mark.parametrize(
    ("more", "cells", "field", "reason"),
    [
        ("", {"at": "noon"}, "occurred_at", "no time as epoch_ms"),
        ("", {"at": ""}, "occurred_at", "missing"),
        ("", {"phone": ""}, "identifiers", "missing"),
        ("", {"phone": "none"}, "identifiers.phone", "malformed"),
        ('outcome = { column = "x", map = { 1 = "a" } }', {"x": "2"}, "outcome", "not in the map"),
        ('actor_type = { column = "x" }', {"x": "cat"}, "actor_type", "not one of customer, agent, system, device"),
        (
            'answer = { question = "q", metric = "nps", scale_min = 0, scale_max = 10, value = { column = "x" } }',
            {"x": "11"},
            "answer.value",
            "not between 0 and 10",
        ),
        (
            'answer = { question = "q", metric = "nps", scale_min = 1, scale_max = 10, value = { column = "x" } }',
            {"x": "5"},
            "answer.scale_max",
            "no scale of nps: 0 to 10",
        ),
        (
            'answer = { question = { column = "y" }, metric = "own", scale_min = 1, scale_max = 3, value = { column = "x" } }',
            {"x": "2", "y": ""},
            "answer.question",
            "missing",
        ),
        (
            'amount = { currency = "euros", minor_units = { column = "x" } }',
            {"x": "1"},
            "amount.currency",
            "not a code",
        ),
        (
            'amount = { currency = "EUR", minor_units = { column = "x" } }',
            {"x": "1.234"},
            "amount.minor_units",
            "more than 2",
        ),
    ],
)
def test_a_row_that_does_not_fit_says_which_field_and_why(
    more: str, cells: dict[str, str], field: str, reason: str
) -> None:
    with pytest.raises(Misfit) as caught:
        one(more, **cells)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)


def test_conditions_leave_rows_and_touchpoints_out() -> None:
    head = HEAD + 'when = [{ column = "kind", is = ["in", "out"] }]\n'
    survey = TOUCHPOINT.replace("call.ended", "survey.answered") + 'when = [{ column = "score", filled = true }]'
    more = 'when = { column = "kind", is_not = "out" }' + survey
    assert mapped(more, head, kind="internal", score="1") == []
    assert [t.event_type for t in mapped(more, head, kind="in", score="")] == ["call.ended"]
    assert [t.event_type for t in mapped(more, head, kind="out", score="1")] == ["survey.answered"]
    assert [t.event_id.endswith("-2") for t in mapped(more, head, kind="in", score="1")] == [False, True]


def test_ids_from_the_row_differ_for_equal_rows_and_repeat_for_the_same_row() -> None:
    first, again, twin = mapped(), mapped(), mapped(number=2)
    assert first[0].event_id == again[0].event_id != twin[0].event_id
    assert mapped(phone="+99900000002")[0].event_id != first[0].event_id
    assert first[0].event_id.startswith("test-1-")


def test_ids_from_columns_know_a_row_again_wherever_it_stands() -> None:
    head = HEAD + '[event_id]\nfrom = "columns"\ncolumns = ["phone", "at"]\n'
    assert mapped("", head)[0].event_id == mapped("", head, number=7)[0].event_id
    assert mapped("", head)[0].event_id != mapped("", head, at="1700000000001")[0].event_id
    with pytest.raises(Misfit, match="event_id: its columns are empty"):
        mapped("", head, at="", phone="")


def test_ids_from_the_content_know_a_row_again_by_nothing_but_what_it_holds() -> None:
    head = HEAD + '[event_id]\nfrom = "content"\n'
    assert mapped("", head)[0].event_id == mapped("", head, number=7)[0].event_id
    assert mapped("", head)[0].event_id != mapped("", head, unmapped="1")[0].event_id
    around = Row(1, 1, CELLS, {"outer.sent": "noon"})
    assert touchpoints(parse(head + TOUCHPOINT), SECRET, around)[0].event_id == mapped("", head)[0].event_id


EACH = TOUCHPOINT.replace("call.ended", "survey.answered").replace(
    "[[touchpoint]]",
    """[[touchpoint]]
each = "answers"
when = [{ column = "each.value", filled = true }]
text = { template = "{each.key}: {each.value}" }
language = { column = "each.value.lang" }
""",
)


def test_one_touchpoint_for_each_entry() -> None:
    row = Row(
        2, 1, {**CELLS, "answers.a": "1", "answers.b": "2", "answers.b.lang": "de", "answers.c": "", "answersx.d": "4"}
    )
    found = touchpoints(parse(HEAD + TOUCHPOINT + EACH), SECRET, row)
    assert [(t.event_type, t.text, t.language) for t in found] == [
        ("call.ended", None, None),
        ("survey.answered", "a: 1", None),
        ("survey.answered", "b: 2", "de"),
    ]
    assert len({t.event_id for t in found}) == 3
    assert all(t.event_id.startswith(found[0].event_id) for t in found)


def test_the_id_of_an_entry_follows_from_its_key_and_not_from_its_place() -> None:
    plan = parse(HEAD + '[event_id]\nfrom = "columns"\ncolumns = ["at"]\n' + EACH)
    one = touchpoints(plan, SECRET, Row(2, 1, {**CELLS, "answers.a": "1"}))
    two = touchpoints(plan, SECRET, Row(2, 1, {**CELLS, "answers.b": "2", "answers.a": "1"}))
    assert one == two[1:]


def test_without_entries_there_is_nothing_and_with_too_many_it_is_a_misfit() -> None:
    plan = parse(HEAD + EACH)
    assert touchpoints(plan, SECRET, Row(2, 1, CELLS)) == []
    many = {f"answers.{n}": "1" for n in range(MOST_ENTRIES + 1)}
    with pytest.raises(Misfit, match="each: more than 200 entries"):
        touchpoints(plan, SECRET, Row(2, 1, {**CELLS, **many}))


def test_columns_of_entries_are_in_no_header_line() -> None:
    assert parse(HEAD + EACH).columns == {"at", "phone"}
    assert "each.key" in parse(HEAD + TOUCHPOINT + 'text = { column = "each.key" }').columns


def test_ids_say_nothing_of_a_row_without_the_secret() -> None:
    plan, row = parse(HEAD + TOUCHPOINT), Row(2, 1, CELLS)
    assert touchpoints(plan, SECRET, row)[0].event_id != touchpoints(plan, SECRET[::-1], row)[0].event_id


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = ", "it is not TOML"),
        (TOUCHPOINT, "name must be"),
        (HEAD, "needs one [[touchpoint]]"),
        (HEAD + "touchpoint = 3", "needs one [[touchpoint]]"),
        (HEAD + 'colour = "red"' + TOUCHPOINT, "it: does not know colour"),
        (HEAD + 'order = "random"' + TOUCHPOINT, "order must be"),
        (HEAD + '[file]\nformat = "xls"' + TOUCHPOINT, "file: format must be"),
        (HEAD + '[file]\ndelimiter = ";;"' + TOUCHPOINT, "file: delimiter must be"),
        (HEAD + '[file]\nquote = ","' + TOUCHPOINT, "file: quote must be"),
        (HEAD + '[file]\nencoding = "klingon"' + TOUCHPOINT, "file: there is no such encoding"),
        (HEAD + '[file]\nencoding = "base64"' + TOUCHPOINT, "file: there is no such encoding"),
        (HEAD + "[file]\ncolumns = 5" + TOUCHPOINT, "file: columns must be"),
        (HEAD + '[file]\ncolumns = ["a", "a"]' + TOUCHPOINT, "file: columns must be"),
        (HEAD + "[file]\nskip_lines = true" + TOUCHPOINT, "file: skip_lines must be"),
        (HEAD + "about = 3" + TOUCHPOINT, "about must be one line"),
        (HEAD + '[file]\nrecords = "a"' + TOUCHPOINT, "file: records must be a name, and is for jsonl and json only"),
        (HEAD + '[file]\nformat = "json"\nrecords = 3' + TOUCHPOINT, "file: records must be a name"),
        (HEAD + '[file]\nmay_lack_columns = "yes"' + TOUCHPOINT, "file: may_lack_columns must be"),
        (HEAD + '[file]\nunpack = { a = "b" }' + TOUCHPOINT, "file: unpack is for jsonl and json only"),
        (HEAD + '[file]\nformat = "json"\nunpack = { a = "" }' + TOUCHPOINT, "file: unpack must be a table of keys"),
        (HEAD + TOUCHPOINT + "each = 3", "touchpoint 1: each must be a name"),
        (HEAD + TOUCHPOINT + 'attributes = { "*" = [3] }', 'touchpoint 1: attributes: "*" must be'),
        (HEAD + TOUCHPOINT + "agent = { column = [] }", "touchpoint 1: agent: a column must be a name"),
        (HEAD + TOUCHPOINT + "agent = { column = ['a', 3] }", "touchpoint 1: agent: a column must be a name"),
        (HEAD + '[event_id]\nfrom = "content"\ncolumns = ["a"]' + TOUCHPOINT, "event_id: columns must be listed"),
        (HEAD + '[event_id]\nfrom = "dice"' + TOUCHPOINT, "event_id: from must be"),
        (HEAD + '[event_id]\nfrom = "columns"' + TOUCHPOINT, "event_id: columns must be listed"),
        (HEAD + "common = 1" + TOUCHPOINT, "common: must be a table"),
        (HEAD + "when = [{ column = 'a' }]" + TOUCHPOINT, "when: needs a column and one of"),
        (HEAD + "when = [{ column = 'a', is = 1, is_not = 2 }]" + TOUCHPOINT, "when: needs a column and one of"),
        (HEAD + "when = [{ column = 'a', filled = 'yes' }]" + TOUCHPOINT, "when: filled must be"),
        (HEAD + "when = [{ is = 1 }]" + TOUCHPOINT, "when: a column must be a name"),
        (HEAD + TOUCHPOINT.replace('source = "pbx"\n', ""), "touchpoint 1: source must be mapped"),
        (HEAD + TOUCHPOINT + "colour = 'red'", "touchpoint 1: does not know colour"),
        (HEAD + TOUCHPOINT + "received_at = 5", "touchpoint 1: does not know received_at"),
        (HEAD + TOUCHPOINT + "agent = true", "touchpoint 1: agent: must be a constant or a table"),
        (HEAD + TOUCHPOINT + "agent = { }", "touchpoint 1: agent: needs one of"),
        (HEAD + TOUCHPOINT + "agent = { column = 'a', const = 'b' }", "touchpoint 1: agent: needs one of"),
        (HEAD + TOUCHPOINT + "agent = { column = '' }", "touchpoint 1: agent: a column must be a name"),
        (HEAD + TOUCHPOINT + "agent = { template = '{' }", "touchpoint 1: agent: the template is malformed"),
        (HEAD + TOUCHPOINT + "agent = { template = '{a:>5}' }", "touchpoint 1: agent: a template holds plain"),
        (HEAD + TOUCHPOINT + "agent = { template = '{}' }", "touchpoint 1: agent: a template holds plain"),
        (HEAD + TOUCHPOINT + "agent = { column = 'a', parse = 'iso' }", "touchpoint 1: agent: does not know parse"),
        (HEAD + TOUCHPOINT + "agent = { column = 'a', map = 3 }", "touchpoint 1: agent: map must be"),
        (HEAD + TOUCHPOINT + "agent = { column = 'a', empty = '-' }", "touchpoint 1: agent: empty must be"),
        (
            HEAD + TOUCHPOINT + "agent = { column = 'a', plus = { const = 1 } }",
            "touchpoint 1: agent: plus is for times",
        ),
        (HEAD + TOUCHPOINT + "sent_at = { column = 'a', parse = 'ISO' }", "touchpoint 1: sent_at: parse must be"),
        (
            HEAD + TOUCHPOINT + "sent_at = { column = 'a', zone = 'Moon/Sea' }",
            "touchpoint 1: sent_at: there is no such",
        ),
        (HEAD + TOUCHPOINT + "sent_at = 'never'", "touchpoint 1: sent_at: the constant is no time"),
        (HEAD + TOUCHPOINT + "sent_at = { column = 'a', per_row_ms = 'x' }", "touchpoint 1: sent_at: per_row_ms"),
        (HEAD + TOUCHPOINT + "duration_ms = { column = 'a', parse = 'days' }", "touchpoint 1: duration_ms: parse must"),
        (HEAD + TOUCHPOINT + "amount = { currency = 'EUR' }", "touchpoint 1: amount needs minor_units"),
        (
            HEAD + TOUCHPOINT + "amount = { currency = 'EUR', minor_units = { column = 'a', digits = 9 } }",
            "touchpoint 1: amount.minor_units: digits must",
        ),
        (HEAD + TOUCHPOINT + "attributes = 1", "touchpoint 1: attributes: must be a table"),
        (HEAD + TOUCHPOINT.replace('namespace = "phone", ', ""), "touchpoint 1: an identifier needs a namespace"),
        (
            HEAD + TOUCHPOINT.replace('[{ namespace = "phone", column = "phone" }]', "[]"),
            "touchpoint 1: identifiers must",
        ),
    ],
)
def test_a_wrong_mapping_is_told_what_is_wrong(text: str, fault: str) -> None:
    with pytest.raises(MappingFault) as caught:
        parse(text)
    assert str(caught.value).startswith(fault), str(caught.value)
    assert "\n" not in str(caught.value)
