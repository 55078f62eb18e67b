"""Files as people have them: encodings, quotes, ragged and broken rows, files that are none."""

import gzip
import time
from pathlib import Path

import pytest

from pipeline.replay.rows import ROW_CHARS, BadRow, FileFault, Layout, Row, Unreadable, read_rows


def rows(path: Path, content: bytes | str, layout: Layout | None = None) -> list[Row | BadRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path, layout or Layout(), frozenset({"a"})))


def good(found: list[Row | BadRow]) -> list[dict[str, str]]:
    return [row.cells for row in found if isinstance(row, Row)]


def bad(found: list[Row | BadRow]) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in found if isinstance(row, BadRow)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_cells(file: Path) -> None:
    assert good(rows(file, b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_rows_know_their_line_and_their_number(file: Path) -> None:
    found = rows(file, 'a,b\n"one\ntwo",2\n3,4\n')
    assert [(row.line, row.number) for row in found] == [(2, 1), (4, 2)]
    assert good(found)[0] == {"a": "one\ntwo", "b": "2"}


def test_a_file_may_be_gzipped_whatever_its_name(file: Path) -> None:
    assert good(rows(file, gzip.compress(b"a\n1\n"))) == [{"a": "1"}]


def test_a_gzipped_file_that_breaks_off_says_so_after_its_rows(file: Path) -> None:
    packed = gzip.compress(b"a\n" + b"".join(b"%d\n" % n for n in range(200_000)))
    file.write_bytes(packed[: len(packed) // 2])
    stream = read_rows(file, Layout())
    assert isinstance(next(stream), Row)
    with pytest.raises(FileFault, match="breaks off at line"):
        list(stream)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1\0,2", "holds a NUL byte"),
        (b"\xff\xfe,2", "holds bytes that are not in the file's encoding"),
        (b"1", "has 1 cells instead of 2"),
        (b"1,2,3", "has 3 cells instead of 2"),
        (b'"1"x,2', "its quotes do not fit"),
        (b'"1,2', "a quote is not closed"),
        (b"x" * 10_000_000 + b",2", f"longer than {ROW_CHARS} characters"),
    ],
)
def test_a_bad_row_costs_only_itself(file: Path, line: bytes, reason: str) -> None:
    found = rows(file, b"a,b\n1,2\n" + line + b"\n3,4\n5,6\n")
    assert good(found) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]
    assert bad(found) == [(3, reason)]


def test_an_open_quote_does_not_swallow_a_long_file(file: Path) -> None:
    found = rows(file, 'a,b\n"1,2\n' + "3,4\n" * 100_000)
    assert bad(found) == [(2, "a quote is not closed")]
    assert len(good(found)) == 100_000


def test_without_a_header_line_the_columns_are_named_by_the_layout(file: Path) -> None:
    assert good(rows(file, "1;2\n", Layout(delimiter=";", columns=("a", "b")))) == [{"a": "1", "b": "2"}]


def test_other_encodings_and_skipped_lines(file: Path) -> None:
    layout = Layout(encoding="utf-16", skip_lines=1)
    assert good(rows(file, "a report\na\n你好\n".encode("utf-16"), layout)) == [{"a": "你好"}]
    assert good(rows(file, "a\nMüller\n".encode("latin-1"), Layout(encoding="latin-1"))) == [{"a": "Müller"}]


def test_text_that_is_not_in_a_wide_encoding_ends_the_file(file: Path) -> None:
    with pytest.raises(FileFault, match="is not in its encoding"):
        rows(file, "a\n1\n".encode("utf-16") + b"\x00\xd8\x00", Layout(encoding="utf-16"))


def test_words_are_parted_by_any_blanks(file: Path) -> None:
    assert good(rows(file, "  a   b\n 1 \t 2\n", Layout(format="words"))) == [{"a": "1", "b": "2"}]


def test_json_lines_keep_numbers_to_the_last_digit_and_flatten_what_is_nested(file: Path) -> None:
    line = '{"a": 12.30, "b": {"c": [true, null, 9007199254740993]}}\n'
    assert good(rows(file, line, Layout(format="jsonl"))) == [
        {"a": "12.30", "b.c.0": "true", "b.c.2": "9007199254740993"}
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"a": "\\ud800"}', "holds half a character"),
        ("[" * 100_000, "is not JSON"),
        ('{"a": "\0"}', "holds a NUL byte"),
    ],
)
def test_a_bad_line_of_json_costs_only_itself(file: Path, line: str, reason: str) -> None:
    found = rows(file, '{"a": 1}\n' + line + '\n\n{"a": 2}\n', Layout(format="jsonl"))
    assert good(found) == [{"a": "1"}, {"a": "2"}]
    assert bad(found) == [(2, reason)]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"b,c\n1,2\n", "has no column a; it has b, c"),
        (b"a,a\n1,2\n", "has the column a more than once"),
        (b"\xff\xfe\n1\n", "has no usable header line"),
    ],
)
def test_a_file_without_the_columns_is_refused(file: Path, content: bytes, fault: str) -> None:
    with pytest.raises(FileFault, match=fault):
        rows(file, content)


def test_what_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / ("long" * 100)):
        with pytest.raises(Unreadable):
            list(read_rows(path, Layout()))


def test_quotes_of_which_each_opens_the_next_are_read_a_few_times_only(tmp_path: Path) -> None:
    """At first each costs its own line. No line is lost, and none is read again and again."""
    line, file = b'a","xxxxxxxx\n', tmp_path / "quotes.csv"
    file.write_bytes(b"a,b\n" + line * 100_000 + b"1,2\n")
    began = time.process_time()
    found = list(read_rows(file, Layout()))
    assert time.process_time() - began < 5
    text = "".join(row.text for row in found)
    assert text.encode() == line * 100_000 + b"1,2\n"
    assert [row.text.encode() for row in found[:5]] == [line] * 5
