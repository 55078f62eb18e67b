"""Whatever a file holds: values are exact or refused, and reading never fails otherwise."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replay import mapping, values
from pipeline.replay.fields import MappingFault, Misfit
from pipeline.replay.mapper import touchpoints
from pipeline.replay.rows import BadRow, FileFault, Layout, Row, read_rows
from pipeline.replay.values import Unfit

CENTS = st.integers(-(10**16), 10**16)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
PLAN = mapping.parse("""
name = "any"
[[touchpoint]]
event_type = "call.ended"
channel = "call"
source = "pbx"
occurred_at = { column = "at", zone = "Europe/Berlin" }
duration_ms = { column = "long", parse = "s" }
identifiers = [{ namespace = "phone", column = "who" }]
amount = { currency = "EUR", minor_units = { column = "sum", decimal = ",", grouping = "." } }
text = { template = "{who} {at}" }
""")


@given(CENTS, st.integers(0, 4))
def test_money_written_in_any_way_comes_back_to_the_last_unit(cents: int, digits: int) -> None:
    amount = Decimal(cents).scaleb(-digits)
    assert values.money(digits)(f"{amount:f}") == cents
    german = f"{amount:,f}".translate(str.maketrans(",.", ".,"))
    assert values.money(digits, ",", ".")(german) == cents


@given(MOMENTS)
def test_times_in_every_form_are_the_same_time(at: datetime) -> None:
    ms = round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    assert values.time("iso")(at.isoformat()) == ms
    assert values.time("epoch_ms")(str(ms)) == ms
    assert values.time("epoch_s")(f"{Decimal(ms).scaleb(-3):f}") == ms


@given(st.integers(-(10**15), 10**17))
def test_seconds_with_a_fraction_are_cut_off_to_the_millisecond_and_never_rounded(microseconds: int) -> None:
    written = f"{Decimal(microseconds).scaleb(-6):f}"
    assert values.time("epoch_s")(written) == microseconds // 1000


@given(st.text())
def test_any_text_is_a_value_or_unfit(text: str) -> None:
    parsers = [
        values.money(),
        values.money(2, ",", "."),
        values.integer(),
        values.duration("s"),
        values.duration("clock"),
    ]
    for parse in (*parsers, values.time("iso"), values.time("epoch_s"), values.time("%d.%m.%Y", "Asia/Tokyo")):
        with suppress(Unfit):
            assert values.INT64[0] <= parse(text) <= values.INT64[1]


@given(st.dictionaries(st.sampled_from(["at", "long", "who", "sum"]), st.text(max_size=30)), st.integers(1, 10**9))
def test_any_row_fits_or_is_a_misfit(cells: dict[str, str], number: int) -> None:
    try:
        made = touchpoints(PLAN, b"secret", Row(number, number, cells))
    except Misfit:
        return
    assert made == touchpoints(PLAN, b"secret", Row(number, number, cells))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["csv", "words", "jsonl"]), st.sampled_from(['"', ""]))
def test_any_bytes_are_rows_bad_rows_or_a_fault(content: bytes, kind: str, quote: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            found = list(read_rows(path, Layout(format=kind, quote=quote)))
        except FileFault:
            return
        assert [row.number for row in found] == list(range(1, len(found) + 1))
        for row in found:
            text = "".join(row.cells.values()) if isinstance(row, Row) else ""
            assert text.encode().decode() == text
            assert isinstance(row, Row | BadRow)


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_a_fault(text: str) -> None:
    with suppress(MappingFault):
        assert mapping.parse(text).plans
