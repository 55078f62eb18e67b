"""The panels of the page Now."""

from html import escape
from zoneinfo import ZoneInfo

from nicegui import ui

from pipeline.serve.board import charts, colours, html, text
from pipeline.serve.board.layout import View
from pipeline.serve.board.widgets import Chart, Html, Text, panel
from pipeline.serve.flow import Flow
from pipeline.serve.hub import RECENT_JOURNEYS, Hub
from pipeline.serve.periods import Period
from pipeline.serve.read_now import REJECTED_S, Account, Pulse, SourceSeen
from pipeline.serve.read_recent import RecentJourney

SILENT_S = 60
SOURCES_SHOWN = 12


class ArrivalsPanel:
    """Touchpoints per second by channel, by time of arrival."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        with panel("Touchpoints per second by channel, last 15 min by arrival", "s8") as self._title:
            self._legend = Html("legend")
            self._chart = Chart("chart", "touchpoints per second by channel over the last 15 minutes")
        self._channels: list[str] = []

    def show(self, pulse: Pulse) -> None:
        """Show what arrived until it was read."""
        order = [c for c in colours.CHANNELS if c in pulse.channels]
        order += [c for c in pulse.channels if c not in colours.CHANNELS]
        total = sum(pulse.rates.values())
        self._title.say(f"Touchpoints per second by channel, last 15 min by arrival · now {text.rate(total)}")
        self._legend.show(html.legend(order) or "nothing arrived in the last 15 min")
        self._chart.show(charts.arrivals(pulse, order, self._zone))


class JourneysPanel:
    """The journeys that the newest arrivals belong to. Each row keeps its link, so that focus stays where it is."""

    def __init__(self, zone: ZoneInfo, view: View) -> None:
        self._zone = zone
        self._view = view
        with panel("Journeys with the newest arrivals", "s4"), ui.element("div").classes("rows"):
            self._none = Text("div", "", "dim")
            self._rows = []
            for _ in range(RECENT_JOURNEYS):
                link = ui.element("a").classes("item off")
                with link:
                    self._rows.append((link, Html()))

    def show(self, journeys: list[RecentJourney], now_s: float) -> None:
        """Show these, newest arrival first."""
        self._none.say("" if journeys else "no journey is stored yet")
        for index, (link, content) in enumerate(self._rows):
            known = index < len(journeys)
            if known:
                journey = journeys[index]
                address = self._view.link(f"/customer/{journey.person}", window="")
                if link.props.get("href") != address:
                    link.props(f'href="{address}"')
                content.show(self._row(journey, now_s))
            link.classes(add="" if known else "off", remove="off" if known else "")

    def _row(self, journey: RecentJourney, now_s: float) -> str:
        arrived = text.clock(journey.arrived_ms / 1000, self._zone, now_s)
        lasted = text.length(journey.ended_ms - journey.started_ms)
        until = text.clock(journey.ended_ms / 1000, self._zone, now_s)
        return (
            f'<div class="line"><span class="mono">{escape(text.person(journey.person))}</span>{html.path(journey.path)}</div>'
            f'<div class="line dim"><span>{text.touchpoints(journey.touchpoints)} in {lasted}, until {until}</span>'
            f'<span class="right">arrived {arrived}</span></div>'
        )


class StepsPanel:
    """Journeys step by step."""

    def __init__(self, period: Period) -> None:
        self._what = f"Journeys of the last {period.words}" if period.length_ms else "All journeys"
        with panel(f"{self._what}, step by step", "s7") as self._title:
            self._chart = Chart("chart", "flow of journeys from channel to channel")
            self._none = Text("div", "", "dim")

    def show(self, flow: Flow) -> None:
        """Show a flow; both sums stand in the title."""
        sums = f"{text.whole(flow.entered)} {'=' if flow.entered == flow.left else '≠'} {text.whole(flow.left)}"
        self._title.say(f"{self._what}, first four sessions · began {sums} ended, open or went on")
        self._none.say("" if flow.entered else "no journey lies in this period")
        self._chart.show(charts.steps(flow))


class SourcesPanel:
    """Sources, and what became of the records."""

    def __init__(self, zone: ZoneInfo, view: View) -> None:
        self._zone = zone
        with panel("Sources of the last 7 d", "s5"):
            self._table = Html("scrolls")
            with ui.element("div").classes("dim sum"):
                self._stored = Text("span")
                self._rejected = Text("a", "", "plain").props(f'href="{view.link("/rejected", window="")}"')
                self._last = Text("span")

    def show(self, hub: Hub, now_s: float) -> None:
        """Show what the pollers know."""
        sources, pulse, account = hub.sources.value, hub.pulse.value, hub.account.value
        if sources is None or pulse is None:
            return
        first = sorted(sources[:SOURCES_SHOWN], key=lambda source: (_silent(source, pulse, now_s), source.name))
        shown = [self._row(hub, source, pulse, account, now_s) for source in first]
        head = (
            ("", "source"),
            ("", "channel"),
            ("n", "last minute"),
            ("", "rejected in its topic, 1 h"),
            ("", "last seen"),
        )
        rest = len(sources) - SOURCES_SHOWN
        more = f'<div class="dim">and {rest} more, heard of longer ago</div>' if rest > 0 else ""
        self._table.show(html.table(head, shown) + more if sources else '<div class="dim">no source in 7 days</div>')
        if account is not None:
            newest = "never" if pulse.newest_s is None else text.clock(pulse.newest_s, self._zone, now_s)
            stored = f"stored {'' if account.exact else 'about '}{text.whole(account.stored)}"
            self._stored.say(f"{stored} · ")
            self._rejected.say(f"rejected {text.whole(account.rejected)}")
            self._last.say(f" · last touchpoint {newest}")

    def _row(
        self, hub: Hub, source: SourceSeen, pulse: Pulse, account: Account | None, now_s: float
    ) -> list[tuple[str, str]]:
        silent, last = _silent(source, pulse, now_s), _last(source, pulse)
        topic = hub.topic_of(source.channels[0])
        refused = account.by_topic.get(topic) if account else None
        words, troubled = text.NONE, False
        if refused is not None:
            troubled = refused.count > 0 and refused.share >= 0.01
            words = f"{text.share(refused.share)}{f': {escape(refused.reason)}' if refused.count else ''}"
        state = "silent" if silent else "refused" if troubled else ""
        seen = f"silent for {text.seconds(now_s - last)}" if silent else text.clock(last, self._zone, now_s)
        return [
            ("", f'<span class="state {state}"></span>{escape(source.name)}'),
            ("", " ".join(html.chip(channel) for channel in source.channels)),
            ("n soft", text.rate(pulse.rates.get(source.name, 0.0))),
            ("soft", words),
            ("soft", seen),
        ]


def _silent(source: SourceSeen, pulse: Pulse, now_s: float) -> bool:
    return now_s - _last(source, pulse) > SILENT_S


def _last(source: SourceSeen, pulse: Pulse) -> int:
    # What arrives is asked for more often than the list of all sources.
    return max(source.last_s, pulse.last_s.get(source.name, 0))


assert REJECTED_S == 3600, "the panel's heading says one hour"
