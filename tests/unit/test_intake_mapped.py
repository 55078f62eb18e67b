"""Bodies of other systems in the intake: what is told apart, what is kept of it, and how much of it may be."""

import json
from typing import Any

import pytest

from pipeline.events import Reason, Rejection
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents, TooMuch
from pipeline.intake.judging import Bad, Good, Judge
from pipeline.intake.mapped import MADE_FOR_AN_EVENT, Mapped
from pipeline.intake.mapped_bodies import pieces
from pipeline.intake.mapped_rows import Bounds
from pipeline.intake.shape import shape_of
from pipeline.replay.mapping import Mapping, parse
from pipeline.replay.row import Row
from tests.harness.touchpoints import NOW, SECRET, admission

WIDE = Bounds(100, 10_000)
JUDGE = Judge("load", shape_of("touchpoint"), admission(), 10_000)
EMOJI = "\\ud83c\\udf6d"


def plan(file: str, more: str = "") -> Mapping:
    return parse(f"""
name = "test"
event_id = {{ from = "columns", columns = ["id"] }}
file = {{ {file} }}
[[touchpoint]]
event_type = "page.viewed"
channel = "web"
source = "s"
occurred_at = {{ column = "at", parse = "epoch_ms" }}
identifiers = [{{ namespace = "customer", column = "who" }}]
text = {{ column = ["text", "outer.text"] }}
{more}
""")


BATCH = plan('format = "json", records = "b.items"', 'site = { column = "site" }')
LINES = plan('format = "jsonl"')
TABLE = plan('format = "csv", may_lack_columns = true')
EACH = plan('format = "json"', 'each = "all"\nattributes = { "*" = ["each.value", "x"] }')


def record(n: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"e-{n}", "at": NOW, "who": "c-1", **more}


def rows(mapping: Mapping, body: bytes, bounds: Bounds = WIDE) -> list[Any]:
    """The cells of each row, or the reason why it is none, and its own bytes."""
    found = pieces(mapping, body, bounds)
    return [(one.row.cells if isinstance(one.row, Row) else one.row.reason, one.own) for one in found]


def judged(mapping: Mapping, body: bytes, judge: Judge = JUDGE, most: int = 1000) -> list[Good | Bad]:
    return [one for one in Mapped(mapping, SECRET).events(body, judge, NOW, most) if one is not None]


def test_records_are_kept_in_a_document_that_holds_them_alone() -> None:
    """So that it can be sent again as it is."""
    body = b' {"x": "[1]", "b": {"y" :2, "items" : [ {"a": 1.50} , [1], null ] }, "z": {"items": []}} '
    whole = '{"x": "[1]", "b": {"y" :2, "items" : [%s] }, "z": {"items": []}}'
    found = rows(BATCH, body)
    assert [one for one, _ in found] == [{"a": "1.50"}, Reason.MISFIT, Reason.MISFIT]
    assert [own.decode().strip() for _, own in found] == [whole % part for part in ('{"a": 1.50}', "[1]", "null")]
    for reason, own in found[1:]:
        assert rows(BATCH, own) == [(reason, own)]


@pytest.mark.parametrize(
    "body",
    [
        '{"b": {"items": [{}]}, "b": {"items": []}}',
        '{"b": {"items": [], "items": [{}]}}',
        '{"b": 1, "b": {"items": [{}]}}',
        '{"b": {"items": [{}]}, "b": 12}',
        '{"a": 1, "a": 12, "b": {"items": [{}]}}',
        '{"a": 12, "a": 1, "b": {"items": [{}]}}',
        '{"b": {"items": [{}]}, "a": 1, "\\u0061": 1}',
        '{"b": {"x": {"y": 1, "y": 1}, "items": [{}]}}',
        '{"b": {"items": {"x": 1, "x": 1}}}',
    ],
)
def test_a_key_twice_is_found_wherever_it_is(body: str) -> None:
    """Around records, in them, and as the name that leads to them: readers differ in which of them holds."""
    assert rows(BATCH, body.encode()) == [(Reason.KEY_TWICE, body.encode())]


def test_names_that_differ_only_in_what_is_half_a_character_are_two() -> None:
    """Whole characters are written as two halves; a half alone is refused."""
    good = f'{{"{EMOJI}": 1, "{EMOJI[:-1]}e": 2, "b": {{"items": [{{"{EMOJI}": "{EMOJI}"}}]}}}}'.encode()
    assert rows(BATCH, good)[0][0] == {"\U0001f36d": "\U0001f36d"}
    for half in ('{"\\ud83c": 1, "b": {"items": [{}]}}', '{"b": {"items": [{"a": "\\ud83c"}]}}'):
        assert rows(BATCH, half.encode()) == [(Reason.MISFIT, half.encode())]


def test_lines_and_lists_with_a_fault_cost_what_they_cost_elsewhere() -> None:
    """A line costs itself, a list the body."""
    good = json.dumps(record()).encode()
    body = b"\n".join([b"\xef\xbb\xbf" + good, b"{", b"[" + good + b"]", b"\xff", good])
    wrong = [Reason.JSON, Reason.MISFIT, Reason.TEXT_MALFORMED]
    assert [one for one, _ in rows(LINES, body) if isinstance(one, str)] == wrong
    assert [one.why.reason for one in judged(BATCH, body) if isinstance(one, Bad)] == [wrong[0], wrong[2]]
    with pytest.raises(BodyUnreadable):
        judged(BATCH, b"[" + good + b", {]")


def test_a_row_of_a_table_is_kept_with_its_header_line() -> None:
    """Whatever is wrong with it, and with its own bytes."""
    head, good = b"id,at,who,text\r\n", f'e-1,{NOW},c-1,"a\nb"\r\n'.encode()
    bad = [b'x,"y\n', b"\xff,,,\n", b"1,2\n", b'e-2,,c-1,"a\n\nb"\n', b",,," + b"x" * 10_000 + b"\n"]
    body = head + good + bad[0] + good + b"".join(bad[1:]) + good
    found = [one for one in judged(TABLE, body) if isinstance(one, Bad)]
    assert [one.body for one in found] == [head + one for one in bad]
    assert [one.why.reason for one in found] == [*[Reason.MISFIT] * 4, Reason.TOO_LARGE]
    (alone,) = judged(TABLE, head + bad[0])
    assert isinstance(alone, Bad)
    assert alone.body == head + bad[0]


@pytest.mark.parametrize(("mapping", "before", "behind"), [(BATCH, '{"b":{"items":[', "]}}"), (LINES, "", "")])
def test_a_row_has_the_bound_of_an_event(mapping: Mapping, before: str, behind: str) -> None:
    """To the byte."""
    bare = len(json.dumps(record(x="")))
    for size, reasons in ((10_000, []), (10_001, [Reason.TOO_LARGE])):
        body = (before + json.dumps(record(x="y" * (size - bare))) + behind).encode()
        found = judged(mapping, body)
        assert [one.why.reason for one in found if isinstance(one, Bad)] == reasons
        assert [one.body for one in found if isinstance(one, Bad)] == [body] * len(reasons)
        assert len(found) == 1


def test_what_is_around_records_and_an_event_have_that_bound_too() -> None:
    """Also an event whose parts each keep to it."""
    around = {"text": "x" * 9000, "b": {"items": [record(site="s" * 4000), record()]}}
    first, second = judged(BATCH, json.dumps(around).encode())
    assert isinstance(first, Bad)
    assert (first.why.reason, first.record["event_type"]) == (Reason.TOO_LARGE, "page.viewed")
    assert isinstance(second, Good)
    body = json.dumps({**around, "more": "x" * 2000}).encode()
    (whole,) = judged(BATCH, body)
    assert isinstance(whole, Bad)
    assert (whole.why.reason, whole.body) == (Reason.TOO_LARGE, body)


def test_all_that_is_made_of_a_body_has_a_bound() -> None:
    """Of touchpoints, and of what is kept."""
    for one in (record(), {}):
        body = json.dumps({"text": "x" * 9000, "b": {"items": [one] * 300}}).encode()
        assert 1000 * MADE_FOR_AN_EVENT < 300 * 9000
        with pytest.raises(TooMuch):
            judged(BATCH, body)
        assert len(judged(BATCH, body.replace(b"x" * 9000, b"x"))) == 300


def test_there_may_be_as_many_rows_as_events() -> None:
    """Also of rows that become none, and of events of one row."""
    body = json.dumps({"b": {"items": [record(n) for n in range(9)]}}).encode()
    assert len(judged(BATCH, body, most=9)) == 9
    several = json.dumps(record(all={str(n): n for n in range(9)})).encode()
    assert len(judged(EACH, several, most=9)) == 9
    for mapping, many in ((BATCH, body), (EACH, several), (TABLE, b"id,at,who,text\n" + b"\n" * 81)):
        with pytest.raises(TooManyEvents):
            judged(mapping, many, most=8)


def test_others_have_their_turn_behind_every_row() -> None:
    """Even where no row becomes anything."""
    nothing = plan('format = "json"', 'when = { column = "id", is = "never" }')
    body = json.dumps([record(n) for n in range(50)]).encode()
    assert list(Mapped(nothing, SECRET).events(body, JUDGE, NOW, 100)) == [None] * 50


def test_what_is_kept_of_a_row_is_in_every_touchpoint_of_its_entries() -> None:
    """Beside what is the entry's own."""
    found = judged(EACH, json.dumps(record(all={"p": {"a": 1}, "q": {"b": 2}}, x={"c": 3})).encode())
    assert [one.record["attributes"] for one in found] == [{"a": "1", "c": "3"}, {"b": "2", "c": "3"}]


def test_no_reason_quotes_what_is_around_a_record() -> None:
    """The names of a person, in every place."""
    for body in ('{"%s": "\\ud800", "b": {"items": [{}]}}', '{"b": {"items": [{"%s": [1, {"%s": "\\u0000"}]}]}}'):
        (found,) = pieces(BATCH, body.replace("%s", "Zuckerwatte").encode(), WIDE)
        assert isinstance(found.row, Rejection)
        assert "Zuckerwatte" not in f"{found.row.field} {found.row.expected} {found.row.got}"
