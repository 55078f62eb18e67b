"""The page Sources: which source brings what it usually does, and which does not?"""

import time
from html import escape
from zoneinfo import ZoneInfo

from pipeline.health.alerts import Alert
from pipeline.health.judge import Verdict
from pipeline.serve.board import html, text
from pipeline.serve.board.layout import Shared, View, frame
from pipeline.serve.board.widgets import Html, Text, panel
from pipeline.serve.present_sources import kinds
from pipeline.serve.read_sources import SourceReading
from pipeline.serve.sources_now import SourcesNow

FINE = ("fine", "new")


class SourcesPage:
    """Open alerts about sources, and all sources with their state; `tick` brings both up to date."""

    def __init__(self, shared: Shared, view: View) -> None:
        self._desk = shared.context.desk
        self._zone = shared.zone
        with frame(shared, view, "sources", self.tick):
            with panel("Open alerts about sources", "s12"):
                self._alerts = Html("rows")
            with panel("Sources of the last eight weeks", "s12"):
                self._table = Html("scrolls")
                self._note = Text("div", "", "dim sum")

    def tick(self) -> None:
        """Show what is known now."""
        poller = self._desk.poller
        if poller.value is None:
            self._note.say(poller.fault or "asking ClickHouse")
            return
        now = time.time()
        self._alerts.show(alerts(poller.value.alerts, self._zone, now))
        self._table.show(table(poller.value, self._zone, now))
        judged = text.clock(poller.value.as_of_ms / 1000, self._zone, now)
        self._note.say(
            f"judged at {judged} · usual: the median of the same hour in the last four weeks · details: touchstream sources NAME"
        )


def alerts(found: tuple[Alert, ...] | None, zone: ZoneInfo, now_s: float) -> str:
    """The open alerts as HTML, a line each."""
    if found is None:
        return '<div class="dim">Kafka does not tell; see touchstream status</div>'
    if not found:
        return '<div class="dim">none</div>'
    return "".join(_alert(alert, zone, now_s) for alert in found)


def _alert(alert: Alert, zone: ZoneInfo, now_s: float) -> str:
    mark = _mark(alert.rule.partition(".")[2])
    return (
        f'<div class="item"><div class="line"><span><span class="state {mark}"></span>{escape(alert.summary)}</span>'
        f'<span class="right">{escape(alert.severity)}</span></div>'
        f'<div class="line dim"><span>{escape(alert.rule)}</span>'
        f'<span class="right">since {text.clock(alert.raised_ms / 1000, zone, now_s)}</span></div></div>'
    )


def table(now: SourcesNow, zone: ZoneInfo, now_s: float) -> str:
    """All sources as HTML: those with a finding first, then the latest."""
    if not now.readings:
        return '<div class="dim">no source has sent anything within eight weeks</div>'
    head = (
        ("", "source"),
        ("", "state"),
        ("", "last event"),
        ("n", "last 60 min"),
        ("n", "usual"),
        ("n", "rejected"),
        ("", "kinds of data"),
    )
    names = sorted(now.readings, key=lambda name: now.verdicts[name].state in FINE)
    return html.table(head, [_row(now.readings[n], now.verdicts[n], zone, now_s) for n in names])


def _row(reading: SourceReading, verdict: Verdict, zone: ZoneInfo, now_s: float) -> list[tuple[str, str]]:
    last = reading.facts.last_ms
    usual = text.NONE if verdict.usual_rate is None else text.whole(round(verdict.usual_rate))
    share = text.NONE if verdict.rejected_share is None else text.share(verdict.rejected_share)
    told = "; ".join(finding.summary for finding in verdict.findings if not finding.unsure)
    return [
        ("", f'<span class="state {_mark(verdict.state)}"></span>{escape(reading.facts.name)}'),
        ("", f'<span title="{escape(told)}">{escape(verdict.state)}</span>'),
        ("soft", "never" if last is None else text.clock(last / 1000, zone, now_s)),
        ("n soft", text.whole(verdict.rate)),
        ("n soft", usual),
        ("n soft", share),
        ("soft", escape(", ".join(kind.name for kind in kinds(reading)))),
    ]


def _mark(state: str) -> str:
    return "silent" if state == "silent" else "" if state in FINE else "refused"
