"""Delimited text that nobody should send, for every ready mapping that reads it."""

from collections.abc import Iterator
from typing import Final

from pipeline.events import Reason as R
from tests.hostile.entries import ACCEPTED, PERSON, Entry, verdict
from tests.hostile.mapped_good import SHEETS, Sheet

CSV: Final = "text/csv"
LONG: Final = 600_000


def entries(now: int, mark: str) -> Iterator[Entry]:
    """All of them. `now` is milliseconds since epoch, UTC; ids of rows that are accepted begin with `mark` and are new."""
    for sheet in SHEETS:
        named = f"{mark}-{sheet.name}"
        yield from _rows(sheet, now, named)
        yield from _whole(sheet, now, named)
        yield from _times(sheet, now)
        if sheet.head:
            yield from _heads(sheet, now, named)


def _entry(sheet: Sheet, name: str, body: bytes, *codes: str) -> Entry:
    return Entry(f"{sheet.name}: {name}", CSV, lambda: body, verdict(codes), codes, mapping=sheet.name)


def _rows(sheet: Sheet, now: int, mark: str) -> Iterator[Entry]:
    taken = (ACCEPTED,) * sheet.makes
    some = sheet.row(f"{mark}-spoilt", now)
    for n, (name, row, code) in enumerate(
        (
            ("a quote that is not closed", 'x,"y', R.MISFIT),
            ("a quote with something behind", '"x"y,z', R.MISFIT),
            ("a quote and NULs", '"\0', R.MISFIT),
            ("a NUL", some.replace(PERSON, "a\0b"), R.MISFIT),
            ("a byte that is no text", some.replace(PERSON, "\udcff"), R.MISFIT),
            ("half a surrogate as bytes", some.replace(PERSON, "\udced\udca0\udc80"), R.MISFIT),
            ("a cell too few", some.partition(",")[2], R.MISFIT),
            ("a cell too many", f"{some},", R.MISFIT),
            ("commas without end", "," * 150_000, R.MISFIT),
            ("another delimiter", some.replace(",", ";"), R.MISFIT),
            ("JSON", '{"event_id": 1}', R.MISFIT),
            ("a cell that is too long for a row", some.replace(PERSON, "x" * 200_001), R.TOO_LARGE),
            ("a cell that is too long", some.replace(PERSON, "x" * LONG), R.TOO_LARGE),
            ("a cell of long characters", some.replace(PERSON, "\U0001f36d" * 140_000), R.TOO_LARGE),
            ("nothing in its cells", "," * some.count(","), R.MISFIT if sheet.head else ""),
        )
    ):
        before, behind = (sheet.row(f"{mark}-{n}-{place}", now) for place in "ab")
        codes = (*taken, *([code] if code else ()), *taken)
        yield _entry(sheet, f"a row with {name}", sheet.of(before, row, behind), *codes)
    same = sheet.row(f"{mark}-same", now)
    yield _entry(sheet, "a row twice", sheet.of(same, same), *taken, *["duplicate"] * sheet.makes)


def _whole(sheet: Sheet, now: int, mark: str) -> Iterator[Entry]:
    taken = (ACCEPTED,) * sheet.makes

    def good(name: str) -> str:
        return sheet.row(f"{mark}-whole-{name}", now)

    for name, end in {
        "carriage returns": "\r",
        "both line ends": "\r\n",
        "blank lines": "\n\r\n\n",
        "two returns": "\r\r",
    }.items():
        yield _entry(
            sheet, f"rows with {name}", sheet.of(good(f"{name}-1"), good(f"{name}-2"), end=end), *taken, *taken
        )
    yield _entry(sheet, "after a byte order mark", b"\xef\xbb\xbf" + sheet.of(good("mark")), *taken)
    yield _entry(sheet, "without a line end", sheet.of(good("end"))[:-1], *taken)
    lines = sheet.of(good("lines").replace(PERSON, "a\nb") if '"' in good("lines") else good("lines"))
    yield _entry(sheet, "a cell of two lines", lines, *taken)
    told = (R.MISFIT,)
    yield _entry(sheet, "UTF-16", sheet.of(good("wide")).decode().encode("utf-16"), *(told if sheet.head else told * 2))
    yield _entry(sheet, "a packed body", b"\x1f\x8b\x08\x00\x00", *told)
    yield _entry(sheet, "NULs", b"\0" * 1000, *told)
    yield _entry(sheet, "a quote", b'"', *told)
    yield _entry(sheet, "quotes", b'"' * 9999, *told)
    yield _entry(sheet, "nothing", b"", *(told if sheet.head else ()))
    yield _entry(sheet, "line ends", b"\r\n\n\r" * 100, *(told if sheet.head else ()))
    open_ = [f'{"x" * 20}","{n}' for n in range(300)]
    yield _entry(sheet, "300 quotes of which none is closed", sheet.of(*open_, good("open")), *told * 300, *taken)


def _times(sheet: Sheet, now: int) -> Iterator[Entry]:
    for text in (
        "",
        "now",
        "-1",
        "1e400",
        "9" * 5000,
        "0000-00-00 00:00:00",
        "99999-01-01 00:00:00",
        "2026-02-30 08:00:00",
        PERSON,
    ):
        body = sheet.of(sheet.with_time("t", now, text))
        yield _entry(sheet, f"the time {text[:24]!r}", body, R.MISFIT)
    years = {
        "a time long past": ("0001-01-01 00:00:00", R.TIME_TOO_EARLY),
        "the year 9999": ("9999-12-31 23:59:59", R.TIME_IN_FUTURE),
    }
    for name, (text, code) in years.items():
        first = (code, *[ACCEPTED] * (sheet.makes - 1)) if sheet.name == "freeswitch" else (code,) * sheet.makes
        yield _entry(sheet, name, sheet.of(sheet.with_time(f"year-{code}", now, text)), *first)


def _heads(sheet: Sheet, now: int, mark: str) -> Iterator[Entry]:
    def good(name: str) -> str:
        return sheet.row(f"{mark}-head-{name}", now)

    def headed(head: str, *rows: str) -> bytes:
        return "\n".join([head, *rows]).encode("utf-8", "surrogateescape")

    yield _entry(
        sheet, "the header line again", sheet.of(good("1"), sheet.head, good("2")), ACCEPTED, R.MISFIT, ACCEPTED
    )
    yield _entry(sheet, "nothing but a header line", sheet.head.encode())
    yield _entry(
        sheet, "a header line with another delimiter", headed(sheet.head.replace(",", ";"), good("3")), R.MISFIT
    )
    yield _entry(sheet, "a column twice", headed(f"{sheet.head},customer", good("4") + ",x"), R.MISFIT)
    yield _entry(sheet, "an unknown column twice", headed(f"{sheet.head},zz,zz", good("5") + ",x,y"), ACCEPTED)
    yield _entry(sheet, "5,001 columns", headed(sheet.head + ",a" * 4994, good("6") + ",x" * 4994), R.MISFIT)
    yield _entry(sheet, "5,000 columns", headed(sheet.head + ",a" * 4993, good("7") + ",x" * 4993), ACCEPTED)
    yield _entry(sheet, "a header line that is too long", headed(sheet.head + "," + "a" * LONG, good("8")), R.TOO_LARGE)
    yield _entry(sheet, "a header line with a NUL", headed(sheet.head + ",\0", good("9")), R.MISFIT)
    yield _entry(sheet, "a header line that is no text", headed(sheet.head + ",\udcff", good("10")), R.MISFIT)
    yield _entry(sheet, "a header line with an open quote", headed('"' + sheet.head, good("11")), R.MISFIT)
    yield _entry(sheet, "a header line of a person", headed(f"{PERSON},x", f"{PERSON},y"), R.MISFIT)
