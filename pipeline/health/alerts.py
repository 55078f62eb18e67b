"""The life of an alert: it opens, stays, and is resolved; or is withdrawn when what it is about has gone. Pure.

An alert is one rule about one subject; for sources that is the source's name. Its id is made of rule, subject and the hour in which
it opened, so whoever comes to the same judgement again writes the same alert and no second one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.health.judge import Finding

OPENS_AFTER: Final = 2
"""Judgements in a row that must find it."""
RESOLVES_AFTER: Final = 3
"""Judgements in a row that must not find it any more."""
HOUR_MS: Final = 3_600_000
RESTATED_AFTER_MS: Final = 30 * 24 * HOUR_MS
"""An alert that stays open is written again after so long, because its topic forgets."""
OPEN: Final = frozenset({"open", "taken"})
SEVERITIES: Final = ("info", "warning", "critical")
"""From the least to the gravest. An open alert that becomes graver says so; not one that becomes less grave, or it would flap."""
ABOUT_SOURCES: Final = "source."
"""How the rules about sources begin: those of the watch, and that of the intake."""
Key = tuple[str, str]
"""Rule and subject."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One version of an alert; times are milliseconds since epoch, UTC. `written_ms` is when this version was written."""

    alert_id: str
    version: int
    rule: str
    severity: str
    state: str
    raised_ms: int
    summary: str
    evidence: tuple[str, ...] = ()
    cause: str = "touchpoint"
    written_ms: int = 0

    @property
    def subject(self) -> str:
        """What it is about; of an alert whose id somebody else has made, that id."""
        return self.alert_id.split("/", 2)[-1]

    def record(self) -> dict[str, Any]:
        """The record of schemas/alert."""
        return {
            "alert_id": self.alert_id,
            "person": None,
            "version": self.version,
            "cause": self.cause,
            "retracted": False,
            "rule": self.rule,
            "severity": self.severity,
            "state": self.state,
            "raised_at": self.raised_ms,
            "summary": self.summary,
            "evidence": list(self.evidence),
        }


def alert_of(record: Mapping[str, Any], written_ms: int) -> Alert:
    """The alert of a record about no person."""
    names = ("alert_id", "version", "rule", "severity", "state")
    return Alert(
        **{name: record[name] for name in names},
        raised_ms=record["raised_at"],
        summary=record["summary"],
        evidence=tuple(record["evidence"]),
        cause=record["cause"],
        written_ms=written_ms,
    )


def newest(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """Of every alert its highest version, by id; in whatever order they come."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        if alert.alert_id not in found or found[alert.alert_id].version < alert.version:
            found[alert.alert_id] = alert
    return found


def alert_id(rule: str, subject: str, now_ms: int) -> str:
    """The id of an alert that opens now."""
    return f"{rule}/{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%dT%HZ}/{subject}"


@dataclass(frozen=True, slots=True)
class Book:
    """All alerts by id in their newest versions, and how often in a row each rule has lately found something or nothing."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    found: Mapping[Key, int] = field(default_factory=dict)
    clean: Mapping[Key, int] = field(default_factory=dict)

    def open(self) -> dict[Key, Alert]:
        """The alerts that are open, by rule and subject."""
        return {(a.rule, a.subject): a for a in self.alerts.values() if a.state in OPEN}


Judged = Mapping[str, tuple[Finding, ...]]
"""Findings by subject, of everything that was judged."""


def advance(book: Book, judged: Judged, rules: Iterable[str], now_ms: int) -> tuple[Book, list[Alert]]:
    """The book after one more round of judgements by these rules, and the alerts that have changed, as new versions.

    What is not sure changes nothing. An open alert about something that is not judged any more is withdrawn.
    """
    standing = book.open()
    found, clean, changed = dict(book.found), dict(book.clean), []
    of_rules = frozenset(rules)
    for subject, findings in judged.items():
        told = {finding.rule: finding for finding in findings}
        for rule in sorted(of_rules):
            finding, key = told.get(rule), (rule, subject)
            if finding is not None and finding.unsure:
                continue
            found[key] = found.get(key, 0) + 1 if finding else 0
            clean[key] = 0 if finding else clean.get(key, 0) + 1
            changed += _step(book, standing.get(key), key, finding, (found[key], clean[key], now_ms))
    gone = [a for (rule, subject), a in standing.items() if rule in of_rules and subject not in judged]
    changed += [_next(a, now_ms, state="withdrawn", summary=f"{a.subject} has gone") for a in gone]
    kept = {key for key in (*found, *clean) if key[1] in judged or key[0] not in of_rules}
    alerts = {**book.alerts, **{alert.alert_id: alert for alert in changed}}
    after = Book(
        # A closed one is needed no longer than until its hour is over, in which it may open again.
        {name: a for name, a in alerts.items() if a.state in OPEN or now_ms - a.raised_ms <= 2 * HOUR_MS},
        {key: n for key, n in found.items() if n and key in kept},
        {key: n for key, n in clean.items() if n and key in kept},
    )
    return after, changed


def _step(
    book: Book, alert: Alert | None, key: Key, finding: Finding | None, counted: tuple[int, int, int]
) -> list[Alert]:
    found, clean, now_ms = counted
    if alert is None:
        return [_opened(book, key, finding, now_ms)] if finding and found >= OPENS_AFTER else []
    if finding is None:
        resolved = clean >= RESOLVES_AFTER
        return [_next(alert, now_ms, state="resolved", summary=f"over: {alert.summary}")] if resolved else []
    if SEVERITIES.index(finding.severity) > SEVERITIES.index(alert.severity):
        return [_next(alert, now_ms, severity=finding.severity, summary=finding.summary)]
    if now_ms - alert.written_ms >= RESTATED_AFTER_MS:
        return [_next(alert, now_ms, summary=finding.summary, cause="restated")]
    return []


def _opened(book: Book, key: Key, finding: Finding, now_ms: int) -> Alert:
    rule, subject = key
    name = alert_id(rule, subject, now_ms)
    before = book.alerts.get(name)
    version = before.version + 1 if before else 1
    return Alert(name, version, rule, finding.severity, "open", now_ms, finding.summary, written_ms=now_ms)


def _next(alert: Alert, now_ms: int, *, cause: str = "touchpoint", **changes: str) -> Alert:
    return replace(alert, version=alert.version + 1, cause=cause, written_ms=now_ms, **changes)  # type: ignore[arg-type]
