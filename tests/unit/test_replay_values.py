"""Text into values: exact, or refused with a reason that does not quote the text."""

import pytest

from pipeline.replay import values
from pipeline.replay.values import Parser, Unfit


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (values.money(), "11.77", 1177),
        (values.money(), "-5", -500),
        (values.money(), "12.5", 1250),
        (values.money(), "12.500", 1250),
        (values.money(digits=0), "1200", 1200),
        (values.money(digits=3), "1.234", 1234),
        (values.money(decimal=",", grouping="."), "1.234.567,8", 123456780),
        (values.money(grouping=",", strip="$ "), "$ 1,234.50", 123450),
        (values.money(grouping=","), "1234.50", 123450),
        (values.integer(), "-12", -12),
        (values.duration("s"), "134", 134_000),
        (values.duration("s"), "0.5", 500),
        (values.duration("min"), "1.5", 90_000),
        (values.duration("clock"), "1:02:03", 3_723_000),
        (values.time("epoch_s"), "1700000000.25", 1_700_000_000_250),
        (values.time("epoch_s"), "1521472262.908999", 1_521_472_262_908),
        (values.time("epoch_s"), "-0.000001", -1),
        (values.time("epoch_s"), "-1.5", -1_500),
        (values.time("epoch_s"), "1700000000.", 1_700_000_000_000),
        (values.time("epoch_ms"), "1700000000250", 1_700_000_000_250),
        (values.time("iso"), "2024-03-13T10:21:14Z", 1_710_325_274_000),
        (values.time("iso"), "2024-03-13 10:21:14", 1_710_325_274_000),
        (values.time("iso", "Europe/Berlin"), "2024-03-13T10:21:14", 1_710_321_674_000),
        (values.time("iso", "Europe/Berlin"), "2024-03-13T10:21:14+00:00", 1_710_325_274_000),
        (values.time("%d.%m.%Y %H:%M", "Europe/Berlin"), "31.03.2024 02:30", 1_711_848_600_000),
        (values.time("%d.%m.%Y %H:%M", "Europe/Berlin"), "27.10.2024 02:30", 1_729_989_000_000),
        (values.time("iso"), "0001-01-01", -62_135_596_800_000),
    ],
)
def test_what_fits(parser: Parser, text: str, value: int) -> None:
    assert parser(text) == value


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (values.money(), "11.775"),
        (values.money(), "1,50"),
        (values.money(grouping=","), "1,50"),
        (values.money(decimal=","), "1.50"),
        (values.money(), "1e5"),
        (values.money(), "NaN"),
        (values.money(), "٣"),
        (values.money(), "9" * 18),
        (values.money(digits=0), "1.5"),
        (values.integer(), "1_000"),
        (values.integer(), "4.0"),
        (values.integer(), "9" * 19),
        (values.integer(*values.INT32), "9999999999"),
        (values.duration("s"), "-1"),
        (values.duration("s"), "0.0001"),
        (values.duration("h"), "9" * 18),
        (values.duration("clock"), "1:60:00"),
        (values.time("epoch_s"), "1e9"),
        (values.time("epoch_ms"), "999999999999999999"),
        (values.time("epoch_s"), "999999999999"),
        (values.time("epoch_s"), "NaN"),
        (values.time("epoch_s"), "1." + "0" * 19),
        (values.time("iso"), "yesterday"),
        (values.time("iso", "Asia/Tokyo"), "0001-01-01T00:00:00"),
        (values.time("%Y-%m-%d"), "2024-02-30"),
        (values.time("%Y-%m-%d %H"), "2024-02-20" + " " * 100_000 + "12"),
    ],
)
def test_what_does_not_fit_is_refused_without_being_quoted(parser: Parser, text: str) -> None:
    with pytest.raises(Unfit) as caught:
        parser(text)
    assert text not in str(caught.value)
