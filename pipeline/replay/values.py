"""Text of a file into values of a touchpoint: times, money, whole numbers, durations. Exact or refused, never rounded."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

Parser = Callable[[str], int]
LONGEST_TIME: Final = 200
INT32: Final = (-(2**31), 2**31 - 1)
INT64: Final = (-(2**63), 2**63 - 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
# The times that a calendar of four-digit years can hold, in milliseconds since epoch.
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_SECONDS: Final = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{0,18}))?", re.ASCII)
_DECIMAL: Final = re.compile(r"([+-]?)([0-9]{1,18})(?:\.([0-9]{0,18}))?", re.ASCII)
_CLOCK: Final = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])", re.ASCII)
UNITS_MS: Final = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}


class Unfit(ValueError):
    """The text is none of what was asked for. Says what was, and never the text itself."""


def integer(low: int = INT64[0], high: int = INT64[1]) -> Parser:
    """A parser of whole numbers between `low` and `high`."""

    def parse(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise Unfit("no whole number")
        number = int(text)
        if not low <= number <= high:
            raise Unfit(f"not between {low} and {high}")
        return number

    return parse


def scaled(text: str, digits: int) -> int:
    """A decimal number times ten to the power of `digits`. Raises Unfit when that is not a whole number."""
    match = _DECIMAL.fullmatch(text)
    if not match:
        raise Unfit("no decimal number")
    sign, whole, part = match.groups(default="")
    if len(part.rstrip("0")) > digits:
        raise Unfit(f"more than {digits} decimal places")
    number = int(whole + part.rstrip("0").ljust(digits, "0"))
    return -number if sign == "-" else number


def money(digits: int = 2, decimal: str = ".", grouping: str = "", strip: str = "") -> Parser:
    """A parser of sums of money into minor units: `digits` of them, thousands parted by `grouping`, less the signs in `strip`."""
    group = re.compile(
        rf"[+-]?[0-9]{{1,3}}(?:{re.escape(grouping)}[0-9]{{3}})+(?:{re.escape(decimal)}[0-9]*)?", re.ASCII
    )

    def parse(text: str) -> int:
        bare = "".join(sign for sign in text if sign not in strip).strip()
        if grouping and group.fullmatch(bare):
            bare = bare.replace(grouping, "")
        if decimal != ".":
            if "." in bare:
                raise Unfit("no sum of money")
            bare = bare.replace(decimal, ".")
        try:
            minor = scaled(bare, digits)
        except Unfit as error:
            raise Unfit("no sum of money" if "decimal number" in str(error) else str(error)) from None
        if not INT64[0] <= minor <= INT64[1]:
            raise Unfit("too much money")
        return minor

    return parse


def duration(unit: str) -> Parser:
    """A parser of durations into milliseconds, from a number of ms, s, min or h, or from a clock's h:mm:ss."""

    def parse_clock(text: str) -> int:
        match = _CLOCK.fullmatch(text)
        if not match:
            raise Unfit("no duration as h:mm:ss")
        hours, minutes, seconds = map(int, match.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * 1000

    def parse(text: str) -> int:
        try:
            millionths = scaled(text, 6) * UNITS_MS[unit]
        except Unfit:
            raise Unfit(f"no number of {unit}") from None
        if millionths % 1_000_000:
            raise Unfit("finer than a millisecond")
        if not 0 <= millionths <= INT64[1]:
            raise Unfit("not a duration that can be")
        return millionths // 1_000_000

    return parse_clock if unit == "clock" else parse


def time(layout: str, zone: str = "UTC") -> Parser:
    """A parser of times into milliseconds since epoch, UTC.

    `layout` is `iso`, `epoch_s`, `epoch_ms` or a strptime format; `zone` holds where the text names no offset. An hour
    that a zone has twice is taken as the first, one that it leaves out as if the clock had not been put forward.
    """
    place = ZoneInfo(zone)

    def parse(text: str) -> int:
        if len(text) > LONGEST_TIME:  # with blanks without end some layouts would take it, and the cache would keep it
            raise Unfit(f"no time as {layout}")
        try:
            if layout == "epoch_s":
                return _within(_epoch_seconds(text))
            if layout == "epoch_ms":
                return _within(scaled(text, 0))
            moment = datetime.fromisoformat(text) if layout == "iso" else datetime.strptime(text, layout)  # noqa: DTZ007
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=place)
            return _within((zoned - _EPOCH) // _MS)
        except (ValueError, OverflowError):
            raise Unfit(f"no time as {layout}") from None

    return lru_cache(maxsize=8192)(parse)


def _epoch_seconds(text: str) -> int:
    """Whole milliseconds; what is finer is cut off towards the past, as with every other layout."""
    match = _SECONDS.fullmatch(text)
    if not match:
        raise Unfit("no decimal number")
    sign, whole, part = match.groups(default="")
    finest = int(whole + part.ljust(18, "0"))
    return (-finest if sign == "-" else finest) // 10**15


def _within(ms: int) -> int:
    if not _FIRST_MS <= ms <= _LAST_MS:
        raise Unfit("not a time of the calendar")
    return ms
