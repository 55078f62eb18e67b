"""Whatever arrives: reading a body never fails, no bad record costs another, and nothing that is mapped fails otherwise."""

import io
import json
from typing import Any

from hypothesis import example as given_example
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replay import ready, records
from pipeline.replay.mapping import parse
from pipeline.replay.row import BadRow, Row
from pipeline.replay.trial import tried
from tests.harness.mappings import ARRIVED_AT, SECRET, example, rows_of
from tests.harness.touchpoints import LIMITS

NAMES = st.sampled_from(ready.names())
BODIES = {name: example(name).read_bytes() for name in ready.names()}
# Keys that the mappings know, so that what is made up is met by more than "missing".
KEYS = (
    st.sampled_from(["data", "batch", "event-data", "event", "type", "e", "id", "timestamp", "ue_px", "meta", ""])
    | st.text()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["pv", "track", "opened"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=30,
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """An example with a part cut out, and bytes of any kind put in."""
    name = draw(NAMES)
    body = BODIES[name]
    first = draw(st.integers(0, len(body)))
    last = draw(st.integers(first, min(len(body), first + 40)))
    return name, body[:first] + draw(st.binary(max_size=20)) + body[last:]


def read(name: str, body: bytes) -> list[Row | BadRow]:
    rows = rows_of(ready.ready(name), body)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return rows


def judged(name: str, rows: list[Row | BadRow]) -> None:
    for one in tried(rows, ready.ready(name), SECRET, ARRIVED_AT, LIMITS):
        assert one.outcome in ("fits", "left_out", "misfit")
        for touchpoint in one.touchpoints:
            assert touchpoint.touchpoint.event_id.startswith(f"{name}-")
            json.dumps(one.reason).encode()


@settings(max_examples=300, deadline=None)
@given(NAMES, st.binary(max_size=400))
@given_example("segment", b'{"batch":' + b"[" * 5000)
@given_example("chatwoot", b'{"id":' + b"9" * 5000 + b"}")
@given_example("csv", b'event_id\n"' + b"\x00\xff" * 50)
def test_any_bytes_are_rows_or_bad_rows(name: str, body: bytes) -> None:
    judged(name, read(name, body))


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_a_damaged_body_is_rows_or_bad_rows(case: tuple[str, bytes]) -> None:
    name, body = case
    judged(name, read(name, body))


@settings(max_examples=200, deadline=None)
@given(NAMES, VALUES)
def test_any_json_is_rows_or_bad_rows(name: str, value: Any) -> None:
    judged(name, read(name, json.dumps(value).encode()))


JSON_NAMES = st.sampled_from([name for name in ready.names() if ready.ready(name).layout.format == "json"])
BAD_LINES = st.sampled_from(
    [b"{", b"\xff\xfe", b'{"a": "\x00"}', b'{"a": "\\ud800"}', b"[1", b'"' + b"x" * 300, b"NaN", b"7" * 5000]
)


@settings(max_examples=100, deadline=None)
@given(JSON_NAMES, st.lists(BAD_LINES, min_size=1, max_size=5), st.integers(0, 5))
def test_a_bad_line_costs_no_other_line(name: str, bad: list[bytes], place: int) -> None:
    good = [json.dumps({"k": str(n)}).encode() for n in range(3)]
    lines = [*good[: place % 4], *bad, *good[place % 4 :]]
    rows = read(name, b"\n".join(lines))
    assert [row.cells["k"] for row in rows if isinstance(row, Row)] == ["0", "1", "2"]
    assert len(rows) == len(lines)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["\ud83d", '"', "\\", "\U0001f36d"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.sampled_from(["a", "b"]), inner, max_size=4),
    max_leaves=20,
)
MINIMAL = """
name = "minimal"
file = { format = "json", records = "RECORDS" }
[[touchpoint]]
event_type = "page.viewed"
channel = "web"
source = "s"
occurred_at = { column = "at" }
identifiers = [{ namespace = "customer", column = "who" }]
"""
PATHS = st.sampled_from(["", "a", "a.b", "a.b.a", "data"])


@settings(max_examples=300, deadline=None)
@given(PATHS, PLAIN, st.sampled_from([None, 0, 1]), st.booleans())
@given_example("a.b", [{"a": {"b": [{"x": "1"}]}, "\U0001f36d": 1}], None, True)
def test_the_intake_reads_of_json_what_a_file_gives(path: str, value: Any, indent: int | None, escaped: bool) -> None:
    """However it is written, and wherever the records are."""
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    body = text.encode("utf-8", "surrogatepass" if escaped else "replace")
    plan = parse(MINIMAL.replace("RECORDS", path))
    source = io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")
    whole = list(records.rows_of(source, plan.layout, plan.columns, "it"))
    told = [(row.cells, row.around) if isinstance(row, Row) else None for row in rows_of(plan, body)]
    assert told == [(row.cells, row.around) if isinstance(row, Row) else None for row in whole]
