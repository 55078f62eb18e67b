"""JSON as systems send it: one document, one on each line, lists of records within, texts within texts."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.replay.documents import DEPTH, DOCUMENT_CHARS
from pipeline.replay.lines import FileFault
from pipeline.replay.mapping import Mapping, parse
from pipeline.replay.records import rows_of
from pipeline.replay.row import ROW_CHARS, BadRow, Layout, Row
from pipeline.replay.rows import read_rows

TOUCHPOINT = """
[[touchpoint]]
event_type = "call.ended"
channel = "call"
source = "pbx"
occurred_at = { column = "at", parse = "epoch_ms" }
identifiers = [{ namespace = "phone", column = "phone" }]
"""


def plan(file: str) -> Mapping:
    return parse(f'name = "test"\n[file]\n{file}\n{TOUCHPOINT}')


def rows(body: str | bytes, file: str = 'format = "json"') -> list[Row | BadRow]:
    mapping, found = plan(file), list[Row | BadRow]()
    raw = io.BytesIO(body.encode() if isinstance(body, str) else body)
    text = io.TextIOWrapper(raw, mapping.layout.decoder, errors="surrogateescape", newline="")
    try:
        found.extend(rows_of(text, mapping.layout, mapping.columns, "the body"))
    except FileFault as fault:
        found.append(BadRow(1, 1, fault.plain, ""))
    return found


def cells(found: list[Row | BadRow]) -> list[Any]:
    return [row.cells if isinstance(row, Row) else row.reason for row in found]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"a": 1}', [{"a": "1"}]),
        ('\ufeff{"a": 1}', [{"a": "1"}]),
        ('{\n  "a": {\n    "b": [1.50, null, true]\n  }\n}\n', [{"a.b.0": "1.50", "a.b.2": "true"}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": "1"}, {"a": "2"}]),
        ('[{"a": 1}, 2, [3], {"a": 4}]', [{"a": "1"}, "is not a JSON object", "is not a JSON object", {"a": "4"}]),
        ('{"a": 1}\n\n{"a": 2}\n', [{"a": "1"}, {"a": "2"}]),
        ('broken\n{"a": 2}\n[{"a": 3}]\n', ["is not JSON", {"a": "2"}, {"a": "3"}]),
        ('{\n  "a": 1,\n  "b": \n}\n', ["is not JSON"]),
        ('{"a": "\\u0000"}\n{"a": "\\ud800"}\n', ["holds a NUL byte", "holds half a character"]),
        ("", []),
        (" \n ", []),
        ("[]", []),
        ("null", ["is not a JSON object"]),
        ("[" * 100_000, ["is not JSON"]),
        ('{"a": NaN, "b": -Infinity}', [{"a": "NaN", "b": "-Infinity"}]),
        ('{"a": ' + "9" * 5000 + "}", [{"a": "9" * 5000}]),
        ('[{"a": "\\ud800"}, {"a": 1}]', ["holds half a character", {"a": "1"}]),
        ('[{"\\ud800": "x"}, {"a": 1}]', ["holds half a character", {"a": "1"}]),
        ('[{"a": "\\u0000"}, {"a": 1}]', ["holds a NUL byte", {"a": "1"}]),
        (b'[{"a": "\xff"}, {"a": 1}]', ["holds bytes that are not in the file's encoding", {"a": "1"}]),
        (b'{"a": "\xff"}\n{"a": 1}', ["holds bytes that are not in the file's encoding", {"a": "1"}]),
        ("[" + '{"a":' * 100 + "1" + "}" * 100 + ', {"a": 1}]', [f"is nested more than {DEPTH} deep", {"a": "1"}]),
    ],
)
def test_a_body_of_json(body: str | bytes, found: list[Any]) -> None:
    assert cells(rows(body)) == found


def test_rows_are_numbered_through_and_know_their_line() -> None:
    found = rows('{"a": 1}\n[{"a": 2}, {"a": 3}]\nbroken\n{"a": 4}')
    assert [(row.line, row.number) for row in found] == [(1, 1), (2, 2), (2, 3), (3, 4), (4, 5)]


def test_names_that_repeat_what_is_above_them_cannot_grow_without_end() -> None:
    """A megabyte of text would become gigabytes of names."""
    body = json.dumps([{"k" * 100_000: list(range(100_000))}, {"a": 1}])
    assert cells(rows(body)) == [f"is longer than {ROW_CHARS} characters with all its names", {"a": "1"}]
    empty = json.dumps([{"k" * 100_000: [[]] * 100_000}])
    assert cells(rows(empty)) == [f"is longer than {ROW_CHARS} characters with all its names"]


def test_a_long_document_is_read_by_lines() -> None:
    assert cells(rows(b" " * DOCUMENT_CHARS + b"{}")) == [f"longer than {ROW_CHARS} characters"]
    line = b'{"a": "' + b"x" * 99_989 + b'"}\n'
    many = DOCUMENT_CHARS // len(line) + 2
    found = rows(line * many + b"broken\r\n" + line)
    assert [row.number for row in found] == [*range(1, many + 3)]
    assert [row.line for row in found if isinstance(row, BadRow)] == [many + 1]


def test_what_is_kept_of_a_bad_record_has_an_end() -> None:
    (found,) = rows(json.dumps([["x" * (ROW_CHARS * 2)]]))
    assert isinstance(found, BadRow)
    assert len(found.text) == ROW_CHARS
    (deep,) = rows("[" * 900 + "]" * 900)
    assert isinstance(deep, BadRow)


RECORDS = 'format = "json"\nrecords = "batch.items"'


@pytest.mark.parametrize(
    ("body", "found", "around"),
    [
        ('{"batch": {"items": [{"a": 1}, {"a": 2}]}}', [{"a": "1"}, {"a": "2"}], {}),
        (
            '{"by": "x", "batch": {"n": 1, "items": [{"a": 1}]}}',
            [{"a": "1"}],
            {"outer.by": "x", "outer.batch.n": "1"},
        ),
        ('{"batch": {"items": {"a": 1}}}', [{"a": "1"}], {}),
        ('{"batch": {"items": []}}', [], {}),
        ('{"a": 1}', [{"a": "1"}], {}),
        ('{"a": 1, "batch": 7}', [{"a": "1", "batch": "7"}], {}),
        ('[{"batch": {"items": [{"a": 1}]}}, {"a": 2}]', [{"a": "1"}, {"a": "2"}], {}),
        ('{"batch": {"items": [1, {"a": 2}]}}', ["is not a JSON object", {"a": "2"}], {}),
        (
            '{"x": "\\u0000", "batch": {"items": [{"a": 1}]}}',
            ["has around its records what holds a NUL byte"],
            {},
        ),
    ],
)
def test_records_within_a_document(body: str, found: list[Any], around: dict[str, str]) -> None:
    made = rows(body, RECORDS)
    assert cells(made) == found
    for row in made:
        if isinstance(row, Row) and "a" in row.cells:
            assert row.around == around


def test_records_within_lines() -> None:
    made = rows('{"d": [{"a": 1}, {"a": 2}]}\n{"a": 3}\n', 'format = "jsonl"\nrecords = "d"')
    assert [(row.line, row.number) for row in made] == [(1, 1), (1, 2), (2, 3)]
    assert cells(made) == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


def test_what_surrounds_a_record_does_not_hide_what_is_its_own() -> None:
    (row,) = rows('{"sent": "noon", "batch": {"items": [{"sent": "eve", "outer": {"x": "own"}}]}}', RECORDS)
    assert isinstance(row, Row)
    assert (row.cell("sent"), row.cell("outer.sent"), row.cell("outer.x")) == ("eve", "noon", "own")


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ('{"b": 2}', {"in.b": "2"}),
        ("eyJiIjogMn0=", {"in.b": "2"}),
        ("eyJiIjogMn0", {"in.b": "2"}),
        ("[1, 2]", {"in.0": "1", "in.1": "2"}),
        ("12", {}),
        ("no json", {}),
        ("é", {}),
        ("gICA", {}),
        ("[" * 100_000, {}),
    ],
)
def test_json_within_a_text_is_taken_apart(text: str, inner: dict[str, str]) -> None:
    (row,) = rows(json.dumps({"t": text}), 'format = "json"\nunpack = { t = "in" }')
    assert isinstance(row, Row)
    assert row.cells == {"t": text, **inner}


def test_a_csv_body_without_its_columns_is_one_bad_row() -> None:
    assert cells(rows("a;b\n1;2\n", 'format = "csv"')) == ["the body has no column at, phone"]
    assert cells(rows("", 'format = "csv"')) == ["the body is empty: it has no header line"]


def test_columns_may_lack_where_the_mapping_says_so() -> None:
    may = 'format = "csv"\nmay_lack_columns = true'
    assert cells(rows("a,phone\n1,2\n", may)) == [{"a": "1", "phone": "2"}]
    assert cells(rows("phone,phone\n1,2\n", may)) == ["the body has the column phone more than once"]


def test_a_wide_encoding_that_breaks_ends_the_body() -> None:
    found = rows("at,phone\n1,2\n".encode("utf-16") + b"\x00\xd8\x00", 'format = "csv"\nencoding = "utf-16"')
    assert cells(found)[-1].startswith("the body is not in its encoding at line")


def test_a_packed_body_is_not_unpacked() -> None:
    assert cells(rows(b"\x1f\x8b\x08\x00", 'format = "jsonl"')) == ["holds a NUL byte"]


def test_a_file_of_one_document(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('[\n{"a": 1},\n{"a": 2}\n]')
    assert [row.number for row in read_rows(file, Layout(format="json"))] == [1, 2]
    file.write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(FileFault, match="breaks off at line 1"):
        list(read_rows(file, Layout(format="json")))
