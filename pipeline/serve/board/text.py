"""Numbers and times as words on the board; pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.serve.freshness import Freshness, State
from pipeline.serve.overall import ENOUGH, Formula, Reading, Score
from pipeline.serve.periods import Period
from pipeline.serve.read_period import Persons

SPACE: Final = "\u202f"
MINUS: Final = "\u2212"
NONE: Final = "\u2013"
TITLES: Final = {"nps": "NPS", "csat": "CSAT", "ces": "Ease (CES 2.0)"}


def whole(number: int) -> str:
    """A whole number in groups of three."""
    return f"{number:,}".replace(",", SPACE).replace("-", MINUS)


def touchpoints(number: int) -> str:
    """So many touchpoints."""
    return f"{whole(number)} touchpoint{'' if number == 1 else 's'}"


def rate(per_second: float) -> str:
    """Events per second, as precise as it is useful."""
    if per_second == 0:
        return "0/s"
    if per_second < 0.1:
        return f"{per_second * 60:.1f}/min"
    return f"{per_second:.1f}/s" if per_second < 10 else f"{whole(round(per_second))}/s"


def share(part: float) -> str:
    """A share from 0 to 1 in percent; what is not zero never looks like zero."""
    if 0 < part < 0.001:
        return "< 0.1%"
    return f"{100 * part:.1f}%"


def seconds(value: float) -> str:
    """A length of time in words."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7_200:
        return f"{value / 60:.0f} min"
    if value < 172_800:
        return f"{value / 3_600:.0f} h"
    return f"{value / 86_400:.0f} d"


def length(milliseconds: int) -> str:
    """How long something lasted, with two units."""
    minutes = milliseconds // 60_000
    if minutes < 1:
        return f"{milliseconds / 1000:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 1_440:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1_440} d {minutes % 1_440 // 60} h"


def clock(epoch_s: float, zone: ZoneInfo, now_s: float) -> str:
    """Time of day when it is today's, else the day and the time."""
    at, now = (datetime.fromtimestamp(s, zone) for s in (epoch_s, now_s))
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def day(milliseconds: int, zone: ZoneInfo) -> str:
    """The day of a moment."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, zone):%Y-%m-%d}"


def stamp(milliseconds: int, zone: ZoneInfo) -> str:
    """Day and time of a moment, to the second."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, zone):%Y-%m-%d %H:%M:%S}"


def money(currency: str, minor_units: int) -> str:
    """A sum; currencies without hundredths are told by ISO 4217."""
    digits = {
        "JPY": 0,
        "KRW": 0,
        "CLP": 0,
        "VND": 0,
        "ISK": 0,
        "XAF": 0,
        "XOF": 0,
        "BHD": 3,
        "KWD": 3,
        "TND": 3,
        "JOD": 3,
    }
    places = digits.get(currency, 2)
    sign = MINUS if minor_units < 0 else ""
    units, rest = divmod(abs(minor_units), 10**places)
    return f"{sign}{whole(units)}{f'.{rest:0{places}d}' if places else ''} {currency}"


def person(name: str) -> str:
    """A person's name, short enough for a list."""
    return f"{name[:10]}\u2026"


def value(formula: Formula, number: float) -> str:
    """A score in the form of its metric."""
    if formula.name == "nps/1":
        return f"{round(number):+d}".replace("-", MINUS).replace("+0", "0")
    if formula.name == "csat/1":
        return f"{round(number)}%"
    return f"{number:.1f}"


@dataclass(frozen=True, slots=True)
class TileText:
    """What a tile says. `tone` is up, down or dim; `faint` asks for grey because there is too little to go by."""

    title: str
    number: str
    beside: str
    change: str
    tone: str
    faint: bool


def score_tile(reading: Reading, period: Period) -> TileText:
    """A score's tile: number, interval, answers, and the change against the period before."""
    title = f"{TITLES[reading.scale.metric]} \u00b7 {period.words}"
    now = reading.now
    if now.value is None:
        return TileText(title, NONE, "no answers", "", "dim", True)
    beside = f"{_around(reading.formula, now)}n {whole(now.n)}"
    change, tone = _change(reading, period)
    return TileText(title, value(reading.formula, now.value), beside, change, tone, not now.enough)


def _around(formula: Formula, score: Score) -> str:
    if score.interval is None:
        return ""
    low, high = score.interval.low, score.interval.high
    if formula.name == "nps/1" and score.enough:
        return f"\u00b1 {(high - low) / 2:.0f}   "
    return f"{value(formula, low).rstrip('%')}\u2013{value(formula, high).rstrip('%')}   "


def _change(reading: Reading, period: Period) -> tuple[str, str]:
    if period.length_ms is None:
        return "all answers there are", "dim"
    before, change = reading.previous, reading.change
    against = f"on the {period.words} before"
    if before is None or before.n == 0 or change is None:
        return f"no answers in the {period.words} before", "dim"
    if not (reading.now.enough and before.enough):
        where = f"in the {period.words} before" if reading.now.enough else "here"
        return f"fewer than {ENOUGH} answers {where}: no change is told", "dim"
    amount = abs(change.value)
    shown = f"{amount:.1f}" if reading.formula.method == "Student t" else f"{amount:.0f}"
    if float(shown) == 0:
        return f"= unchanged {against}", "dim"
    sign, tone = ("\u25b2", "up") if change.value > 0 else ("\u25bc", "down")
    if not change.outside:
        return f"{sign} {shown} {against}, inside the interval", "dim"
    return f"{sign} {shown} {against}, outside", tone


def persons_tile(found: Persons, period: Period) -> TileText:
    """How many persons were seen, of all; counted, so there is no interval, and neither direction is good or bad."""
    title = f"Persons seen \u00b7 {period.words}"
    beside = f"of {whole(found.known)}"
    if found.before is None:
        return TileText(title, whole(found.known), "counted", "everybody ever seen", "dim", False)
    difference = found.active - found.before
    against = f"on the {period.words} before"
    if difference == 0:
        change = f"= unchanged {against}"
    else:
        change = f"{chr(0x25B2) if difference > 0 else chr(0x25BC)} {whole(abs(difference))} {against}, counted"
    return TileText(title, whole(found.active), beside, change, "dim", False)


def pill(fresh: Freshness, zone: ZoneInfo, now_s: float) -> tuple[str, str]:
    """The freshness in a few words, with its tone: good, still, amber or bad."""
    last = "" if fresh.newest_at is None else clock(fresh.newest_at, zone, now_s)
    age = "" if fresh.age_s is None else seconds(fresh.age_s)
    match fresh.state:
        case State.LIVE:
            return f"live \u00b7 data up to {age} ago", "good"
        case State.QUIET:
            return f"quiet \u00b7 last touchpoint {last}", "still"
        case State.WAITING:
            return f"no touchpoints for {age} \u00b7 last {last}", "amber"
        case State.BEHIND:
            return f"behind \u00b7 {whole(fresh.waiting or 0)} records waiting \u00b7 data up to {last}", "amber"
        case State.STALE:
            return f"stale \u00b7 ClickHouse silent for {seconds(fresh.silent_s)}", "bad" if fresh.alarm else "amber"
        case State.EMPTY:
            return "no touchpoints yet", "still"
        case State.STARTING:
            return "asking ClickHouse", "still"


def banner(fresh: Freshness, zone: ZoneInfo, now_s: float) -> str:
    """What is behind, in one plain sentence; empty when no banner is due."""
    if not fresh.alarm:
        return ""
    last = "never" if fresh.newest_at is None else clock(fresh.newest_at, zone, now_s)
    if fresh.state == State.STALE:
        return (
            f"ClickHouse has not answered for {seconds(fresh.silent_s)}. All numbers are old. "
            "What to do: touchstream status, then touchstream doctor."
        )
    if fresh.state == State.BEHIND:
        stages = ", ".join(f"{stage} {whole(n)}" for stage, n in sorted((fresh.lag or {}).items()) if n)
        return (
            f"Stored data is behind: records wait before {stages}. Newest stored touchpoint: {last}. "
            "What to do: touchstream status."
        )
    return (
        f"No touchpoints for {seconds(fresh.age_s or 0)}, the last at {last}. ClickHouse answers; whether the sources are "
        "silent or a stage is behind cannot be told from here. What to do: touchstream status."
    )
