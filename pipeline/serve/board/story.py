"""A person's facts, scores and timeline as HTML; pure."""

from html import escape
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.serve.board import colours, html, text
from pipeline.serve.present import journey_of, session_of
from pipeline.serve.read_customer import Customer, Story, Touch


def facts(customer: Customer, zone: ZoneInfo) -> str:
    """What is known at a glance."""
    shown = [
        (text.whole(customer.touchpoints), "touchpoints"),
        (text.day(customer.first_ms, zone), "first seen"),
        (text.stamp(customer.last_ms, zone), "last seen"),
    ]
    shown += [
        (text.money(currency, minor), f"in {text.whole(payments)} payments")
        for currency, minor, payments in customer.amounts
    ]
    shown += [
        (f"{value} of {scale.partition('-')[2]}", f"latest {metric}, {text.day(at, zone)}")
        for metric, scale, value, at in customer.answers
    ]
    blocks = "".join(f'<div class="fact"><b>{escape(b)}</b><span>{escape(s)}</span></div>' for b, s in shown)
    channels = sorted(customer.channels.items(), key=lambda c: -c[1])
    chips = " ".join(f'{html.chip(name)}<span class="dim">{text.whole(n)}</span>' for name, n in channels)
    return f'<div class="facts">{blocks}</div><div class="line" style="margin-top:.7rem;flex-wrap:wrap">{chips}</div>'


def scores(story: Story, zone: ZoneInfo) -> str:
    """The person's own scores, by window."""
    if not story.scores:
        return '<div class="dim">no answers yet</div>'
    head = (("", "metric"), ("", "window until"), ("n", "n"), ("n", "value"), ("n", "95% interval"))
    rows = []
    for metric, scale, _, window, _, as_of, n, value, low, high in story.scores:
        interval = text.NONE if low is None or high is None else f"{low:.1f} to {high:.1f}"
        shown = text.NONE if value is None else f"{value:.1f}"
        rows.append(
            [
                ("", f"{escape(metric)} <span class='dim'>{escape(scale)}</span>"),
                ("soft", f"{escape(window)} · {text.day(as_of, zone)}"),
                ("n", text.whole(n)),
                ("n", shown),
                ("n soft", interval),
            ]
        )
    return html.table(head, rows)


def timeline(story: Story, zone: ZoneInfo) -> str:
    """Touchpoints under their journeys and sessions, newest first."""
    if not story.touches:
        return '<div class="dim">no touchpoints in reach; older ones may lie further back</div>'
    ways = groupby(story.touches, lambda touch: journey_of(touch, story.journeys))
    return "".join(_way(journey, list(touches), story, zone) for journey, touches in ways)


def _way(journey: str | None, touches: list[Touch], story: Story, zone: ZoneInfo) -> str:
    row = next((j for j in story.journeys if j[0] == journey), None)
    visits = groupby(touches, lambda touch: (session_of(touch, story.sessions), touch["channel"]))
    inner = "".join(_visit(session, channel, list(of), story, zone) for (session, channel), of in visits)
    return f'<div class="way"><h3>{_way_title(row, zone)}</h3>{inner}</div>'


def _way_title(row: tuple[Any, ...] | None, zone: ZoneInfo) -> str:
    if row is None:
        return "Journey not listed yet"
    _, started, ended, touchpoints, _, path = row
    words = f"Journey of {text.stamp(started, zone)}, {text.length(ended - started)}, {text.touchpoints(touchpoints)}"
    return f'<span class="line" style="flex-wrap:wrap">{escape(words)} {html.path(path)}</span>'


def _visit(session: str | None, channel: str, touches: list[Touch], story: Story, zone: ZoneInfo) -> str:
    row = next((s for s in story.sessions if s[0] == session), None)
    words = f"{text.length(row[5] - row[4])}, {text.touchpoints(row[6])}" if row else "session not listed"
    inner = "".join(_touch(touch, zone) for touch in touches)
    colour = colours.channel(channel)
    return f'<div class="visit" style="--c:{colour}"><h4>{html.chip(channel)} {escape(words)}</h4>{inner}</div>'


def _touch(touch: Touch, zone: ZoneInfo) -> str:
    cells = (text.stamp(touch["occurred_ms"], zone), touch["event_type"], touch["source"], ", ".join(_details(touch)))
    return '<div class="touch">' + "".join(f"<span>{escape(cell)}</span>" for cell in cells) + "</div>"


def _details(touch: Touch) -> list[str]:
    found = [touch["outcome"] or "", f"reason {touch['reason']}" if touch["reason"] else ""]
    if touch["metric"]:
        found.append(f"{touch['metric']} {touch['value']} of {touch['scale_min']} to {touch['scale_max']}")
    if touch["currency"]:
        found.append(text.money(touch["currency"], touch["minor_units"]))
    if touch["duration_ms"]:
        found.append(f"lasted {text.length(touch['duration_ms'])}")
    if touch["promise_kind"]:
        found.append(f"promise: {touch['promise_kind']}")
    return [words for words in found if words]
