"""How a source fares now, against its own past: silent, slow, flooding, rejecting, drifting. Pure.

Each rule has a least sample below which it says nothing, and easier bounds for what is already open, so that nothing flaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from math import inf, log, pi, sqrt
from types import MappingProxyType
from typing import Final

from pipeline.health.drift import LEAST as LEAST_TO_DRIFT
from pipeline.health.drift import Drift, drifts
from pipeline.health.drift import Z as DRIFT_Z
from pipeline.health.fields import Mix
from pipeline.health.usual import HOUR_MS, WEEK_HOURS, HourCount, Usual, hour_of_week, usual

SILENT, SLOW, FLOODING, REJECTING, DRIFTING = (
    "source.silent",
    "source.slow",
    "source.flooding",
    "source.rejecting",
    "source.drifting",
)
RULES: Final = (SILENT, SLOW, FLOODING, REJECTING, DRIFTING)
FALSE_SILENCES_A_WEEK: Final = 0.001
"""How often a steady source may be called silent by mere chance."""
WINDOW_MS: Final = HOUR_MS
"""A rate now is that of the last hour."""
LONGEST_HOURS: Final = 8 * WEEK_HOURS
Z: Final = 6.0
LEAST_TOUCHPOINTS: Final = 30
LEAST_RECORDS: Final = 50
"""Records of a source, stored and rejected, below which its share of rejected ones is not judged."""
REJECTED_AGAINST_PAST: Final = 2.0
EASIER: Final = 0.75
"""What is open stays so until the change is less than this part of what opens it."""
ON_ITS_WAY_MS: Final = 60_000
"""So long a touchpoint may take from its arrival until it is counted."""
Already = Mapping[str, int]
"""The rules that have an open alert about a source, and when each was raised, in milliseconds since epoch, UTC."""
NOTHING: Final[Already] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on something is told: a rate below this share of the usual one, above this multiple of it; a share of rejected
    records; a change in the share of a field. Shares go from 0 to 1."""

    slow_share: float = 0.5
    flood_factor: float = 3.0
    rejected_share: float = 0.05
    drift_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source. `last_ms`: when its newest touchpoint arrived. Hours are told by their beginning.

    `lately`: touchpoints of the last 60 minutes. `rejected`: records by hour. `recent` and `before` are the event types and
    filled fields of the last hours and of the weeks before.
    """

    name: str
    last_ms: int | None
    hours: Mapping[int, HourCount]
    lately: int = 0
    rejected: Mapping[int, int] = field(default_factory=dict)
    recent: Mix = field(default_factory=dict)
    before: Mix = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moment:
    """When is judged, in which time zone, by which bounds. `behind`: what has arrived is not all stored yet, so that missing
    touchpoints say nothing of a source."""

    now_ms: int
    zone: tzinfo
    bounds: Bounds = Bounds()
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has found. `unsure`: it cannot be judged now, so that whatever was known stays."""

    rule: str
    severity: str = "warning"
    summary: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a source fares: findings, rates per hour over the last hour, now and usual, and the shares they rest on.

    `usual` is None while there is too little to know it. `silent_at_ms` is when the source will be called silent if nothing comes;
    None when it will not.
    """

    findings: tuple[Finding, ...]
    usual: Usual | None
    rate: int
    usual_rate: float | None
    rejected: int
    received: int
    drifts: tuple[Drift, ...]
    silent_at_ms: int | None

    @property
    def rejected_share(self) -> float | None:
        """Of what was received in this hour and the one before; None without anything."""
        return self.rejected / self.received if self.received else None

    @property
    def state(self) -> str:
        """The gravest finding by its last word, `new` while nothing is usual yet, else `fine`."""
        told = [finding.rule for finding in self.findings if not finding.unsure]
        if told:
            return min(told, key=RULES.index).partition(".")[2]
        return "fine" if self.usual else "new"


def judge(facts: Facts, moment: Moment, already: Already = NOTHING) -> Verdict:
    """The verdict on a source; `already` is what is open about it."""
    known = usual(facts.hours, moment.zone)
    now, bounds = moment.now_ms, moment.bounds
    expected = known.counts.expected(now - WINDOW_MS, now, moment.zone) if known else None
    lately_rejected, received = _received(facts, now)
    changed = _changed(facts, bounds, already)
    silent = silent_at(facts.last_ms, known, moment.zone) if known and facts.last_ms is not None else None
    if moment.behind:
        pace = [Finding(rule, unsure=True) for rule in (SILENT, SLOW, FLOODING)]
    else:
        # Of a silent source it need not be told that it is slow, too; nor that it is not any more.
        silence = _silent(facts, known, moment, silent) or _still_silent(facts, moment, already)
        pace = [*silence, Finding(SLOW, unsure=True)] if silence else _rate(facts, known, moment, already)
    found = [
        *pace,
        *_rejecting(facts, moment, already),
        *_drifting(facts, changed, already),
    ]
    return Verdict(tuple(found), known, facts.lately, expected, lately_rejected, received, tuple(changed), silent)


def patience(known: Usual) -> float:
    """How many usual clusters must be missing for a silence.

    A steady source leaves out k of them by chance with probability exp(-k), and has as many occasions a week as it has clusters;
    k is that of FALSE_SILENCES_A_WEEK. It is multiplied by the dispersion, and grows by two standard errors of what is taken for
    usual: the median of n weeks has pi / 2 n of the variance of one.
    """
    profile = known.clusters
    if profile.weekly <= 0:
        return inf
    least = max(1.0, log(profile.weekly / FALSE_SILENCES_A_WEEK)) * profile.dispersion
    error = 2 * sqrt(pi / 2 / known.weeks * profile.dispersion)
    # The x for which x - error * sqrt(x) is `least`.
    return ((error + sqrt(error**2 + 4 * least)) / 2) ** 2


def silent_at(last_ms: int, known: Usual, zone: tzinfo) -> int | None:
    """When a source whose newest touchpoint came at `last_ms` is to be called silent; None when that lies eight weeks off.

    It is when as many clusters are missing as `patience` says.
    """
    left, at = patience(known), last_ms
    for _ in range(LONGEST_HOURS):
        end = at // HOUR_MS * HOUR_MS + HOUR_MS
        rate = known.clusters.rates[hour_of_week(at // HOUR_MS * HOUR_MS, zone)]
        here = rate * (end - at) / HOUR_MS
        if rate and here >= left:
            return at + int(left / rate * HOUR_MS)
        left, at = left - here, end
    return None


def _silent(facts: Facts, known: Usual | None, moment: Moment, at_ms: int | None) -> list[Finding]:
    if known is None or facts.last_ms is None or at_ms is None or moment.now_ms < at_ms:
        return []
    minutes = (moment.now_ms - facts.last_ms) // 60_000
    touchpoints = known.counts.expected(facts.last_ms, moment.now_ms, moment.zone)
    summary = f"{facts.name} has been silent for {minutes} min, in which about {touchpoints:.0f} touchpoints are usual"
    return [Finding(SILENT, "critical", summary)]


def _still_silent(facts: Facts, moment: Moment, already: Already) -> list[Finding]:
    """A silence ends when something comes, not when what used to be usual has been forgotten over it."""
    if SILENT not in already:
        return []
    if facts.last_ms is None:
        return [Finding(SILENT, unsure=True)]
    if facts.last_ms > already[SILENT] - ON_ITS_WAY_MS:
        return []
    minutes = (moment.now_ms - facts.last_ms) // 60_000
    return [Finding(SILENT, "critical", f"{facts.name} has been silent for {minutes} min")]


def _rate(facts: Facts, known: Usual | None, moment: Moment, already: Already) -> list[Finding]:
    """Slow or flooding. Of a source whose hours are not alike from week to week neither can be told."""
    if known is None or known.counts.level != "hour" or facts.last_ms is None:
        return []
    span = (moment.now_ms - WINDOW_MS, moment.now_ms, moment.zone)
    expected, bounds = known.counts.expected(*span), moment.bounds
    error = _error(known, expected, known.clusters.expected(*span))
    slow = 1 - (1 - bounds.slow_share) * (EASIER if SLOW in already else 1.0)
    few = expected >= LEAST_TOUCHPOINTS and facts.lately < slow * expected
    if few and (SLOW in already or expected - facts.lately >= Z * error):
        return [Finding(SLOW, "warning", _told(facts, "slow", expected))]
    usual_hour = max(expected, known.counts.weekly / len(known.counts.rates))
    flood = (1 + _eased(bounds.flood_factor - 1, FLOODING, already)) * usual_hour
    many = facts.lately >= LEAST_TOUCHPOINTS and facts.lately > flood
    if many and (FLOODING in already or facts.lately - expected >= Z * error):
        return [Finding(FLOODING, "warning", _told(facts, "flooding", expected))]
    return []


def _error(known: Usual, expected: float, groups: float) -> float:
    """Standard error of an hour's count against its usual one.

    Touchpoints come in clusters of expected / groups, so their variance is at least that much greater than their mean (compound
    Poisson). The median of n weeks has pi / 2 n of that variance itself (asymptotically; M. Kendall and A. Stuart, "The Advanced
    Theory of Statistics", volume 1, 1977, section 10.10).
    """
    crowd = max(1.0, known.counts.dispersion, expected / groups if groups else 1.0)
    return sqrt(max(1.0, expected) * crowd * (1 + pi / 2 / known.weeks))


def _told(facts: Facts, what: str, expected: float) -> str:
    return f"{facts.name} is {what}: {facts.lately} touchpoints in the last hour, about {expected:.0f} are usual"


def _rejecting(facts: Facts, moment: Moment, already: Already) -> list[Finding]:
    rejected, received = _received(facts, moment.now_ms)
    if not received or (received < LEAST_RECORDS and REJECTING not in already):
        return []
    begins = moment.now_ms // HOUR_MS * HOUR_MS - HOUR_MS
    past_rejected = sum(n for at, n in facts.rejected.items() if at < begins)
    past = past_rejected + sum(count.touchpoints for at, count in facts.hours.items() if at < begins)
    before = past_rejected / past if past else 0.0
    bound = max(moment.bounds.rejected_share, min(0.9, REJECTED_AGAINST_PAST * before))
    bound = _eased(bound, REJECTING, already)
    share = rejected / received
    error = 0.0 if REJECTING in already else 3 * sqrt(bound * (1 - bound) / received)
    if share < bound + error:
        return []
    summary = f"of {received} records of {facts.name} {100 * share:.0f}% are rejected, {100 * before:.1f}% before"
    return [Finding(REJECTING, "critical" if share >= 0.5 else "warning", summary)]


def _received(facts: Facts, now_ms: int) -> tuple[int, int]:
    """Rejected and all records of this hour and the one before."""
    begins = now_ms // HOUR_MS * HOUR_MS - HOUR_MS
    rejected = sum(n for at, n in facts.rejected.items() if at >= begins)
    return rejected, rejected + sum(count.touchpoints for at, count in facts.hours.items() if at >= begins)


def _changed(facts: Facts, bounds: Bounds, already: Already) -> list[Drift]:
    """As with the other rules, what is open needs no significance to stay so: the sample shrinks at every full hour."""
    return drifts(
        facts.recent,
        facts.before,
        _eased(bounds.drift_share, DRIFTING, already),
        0.0 if DRIFTING in already else DRIFT_Z,
    )


def _drifting(facts: Facts, changed: list[Drift], already: Already) -> list[Finding]:
    if not changed:
        too_few = DRIFTING in already and sum(facts.recent.values()) < LEAST_TO_DRIFT
        return [Finding(DRIFTING, unsure=True)] if too_few else []
    told = ", ".join(f"{d.field} {100 * d.share:.0f}% instead of {100 * d.expected:.0f}%" for d in changed[:3])
    return [Finding(DRIFTING, "warning", f"{facts.name} fills fields otherwise than before: {told}")]


def _eased(bound: float, rule: str, already: Already) -> float:
    return bound * EASIER if rule in already else bound
