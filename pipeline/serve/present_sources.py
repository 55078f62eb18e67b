"""From how sources fare to what the API answers; pure."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Final

from pipeline.health.alerts import Alert
from pipeline.health.fields import FIELDS, Mix, shares
from pipeline.health.usual import HOUR_MS
from pipeline.serve import source_models as out
from pipeline.serve.present import iso
from pipeline.serve.read_sources import Delays, SourceReading
from pipeline.serve.sources_now import SourcesNow
from schemas import catalogue

HOURS: Final = 48
UNLISTED: Final = "unlisted"


def all_sources(now: SourcesNow) -> out.SourcesOut:
    """All of them, the latest first."""
    return out.SourcesOut(
        as_of=iso(now.as_of_ms), sources=[one_source(now, name) for name in now.readings], alerts=_alerts(now.alerts)
    )


def one_source(now: SourcesNow, name: str) -> out.SourceOut:
    """One source in short; KeyError for one that is not there."""
    reading, verdict = now.readings[name], now.verdicts[name]
    last, silent = reading.facts.last_ms, verdict.silent_at_ms
    share = verdict.rejected_share
    return out.SourceOut(
        name=name,
        state=verdict.state,
        findings=[finding.summary for finding in verdict.findings if not finding.unsure],
        last_event=None if last is None else iso(last),
        silent_at=None if silent is None else iso(silent),
        rate=verdict.rate,
        usual_rate=None if verdict.usual_rate is None else round(verdict.usual_rate, 2),
        usual_by=verdict.usual.counts.level if verdict.usual else None,
        received=verdict.received,
        rejected=verdict.rejected,
        rejected_share=None if share is None else round(share, 4),
        data_kinds=[kind.name for kind in kinds(reading)],
        alerts=_alerts(now.alerts_of(name)),
    )


def details(now: SourcesNow, name: str, zone: tzinfo) -> out.SourceAnswerOut:
    """One source in full; KeyError for one that is not there."""
    reading, verdict = now.readings[name], now.verdicts[name]
    drifting = {drift.field for drift in verdict.drifts}
    present, past = shares(reading.facts.recent), shares(reading.facts.before)
    known = out.SourceDetailsOut(
        **one_source(now, name).model_dump(),
        fields=[
            out.FieldOut(
                name=field,
                share=_rounded(present.get(field)),
                share_before=_rounded(past.get(field)),
                drifting=field in drifting,
            )
            for field in FIELDS
        ],
        fields_of=sum(reading.facts.recent.values()),
        kinds=kinds(reading),
        hours=hours(now, name, zone),
        lateness=_lateness(reading.delays),
        clock=_clock(reading.delays),
        rejected_reasons=dict(sorted(reading.reasons.items(), key=lambda item: (-item[1], item[0]))),
    )
    return out.SourceAnswerOut(as_of=iso(now.as_of_ms), source=known)


def kinds(reading: SourceReading) -> list[out.KindOut]:
    """The kinds of data that a source brought within four weeks, in the order of the catalogue."""
    counted: dict[str, dict[str, int]] = {}
    mixes: tuple[Mix, ...] = (reading.facts.before, reading.day)
    for mix in mixes:
        for (event_type, _), n in mix.items():
            known = catalogue.listed().get(event_type)
            of_kind = counted.setdefault(known.data_kind if known else UNLISTED, {})
            of_kind[event_type] = of_kind.get(event_type, 0) + n
    order = (*catalogue.DATA_KINDS, UNLISTED)
    return [
        out.KindOut(name=kind, touchpoints=sum(counted[kind].values()), event_types=sorted(counted[kind]))
        for kind in order
        if kind in counted
    ]


def hours(now: SourcesNow, name: str, zone: tzinfo) -> list[out.HourOut]:
    """The last hours, with what is usual for each."""
    facts, known = now.readings[name].facts, now.verdicts[name].usual
    last = now.as_of_ms // HOUR_MS * HOUR_MS
    found = []
    for at in range(last - (HOURS - 1) * HOUR_MS, last + 1, HOUR_MS):
        counted = facts.hours.get(at)
        usual = round(known.counts.expected(at, at + HOUR_MS, zone), 2) if known else None
        touchpoints = counted.touchpoints if counted else 0
        found.append(
            out.HourOut(hour=iso(at), touchpoints=touchpoints, usual=usual, rejected=facts.rejected.get(at, 0))
        )
    return found


def _lateness(delays: Delays | None) -> out.DelayOut:
    if delays is None:
        return out.DelayOut(sampled=0, p5=None, p50=None, p95=None, p99=None)
    p5, p50, p95, p99 = delays.lateness
    return out.DelayOut(sampled=delays.sampled, p5=p5, p50=p50, p95=p95, p99=p99)


def _clock(delays: Delays | None) -> out.DelayOut:
    if delays is None or not delays.clocked:
        return out.DelayOut(sampled=0, p5=None, p50=None, p95=None, p99=None)
    p5, p50, p95 = delays.clock
    return out.DelayOut(sampled=delays.clocked, p5=p5, p50=p50, p95=p95, p99=None)


def _alerts(alerts: Iterable[Alert] | None) -> list[out.AlertOut] | None:
    if alerts is None:
        return None
    return [
        out.AlertOut(
            alert_id=a.alert_id,
            rule=a.rule,
            severity=a.severity,
            state=a.state,
            raised_at=iso(a.raised_ms),
            summary=a.summary,
        )
        for a in alerts
    ]


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
