"""Rejected records as HTML and words; pure."""

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from zoneinfo import ZoneInfo

from pipeline.redrives import Ledger, Place, Rejected, attempt, before_of
from pipeline.redriving import Outcome
from pipeline.rejected_content import Content
from pipeline.rejections import in_words
from pipeline.serve.board import html, text
from pipeline.serve.board.layout import View
from pipeline.serve.redrives import Counted

WORDS = {"sent": "sent", "sendable": "would be sent", "unsendable": "stay", "sent_before": "sent before"}
UNKNOWN = "whether it was sent again is not known: Kafka does not answer"


def counts(total: int, found: Sequence[Counted], view: View) -> str:
    """How many for each reason and source, each leading to its records, with what is not listed and the sum."""
    if not found:
        return '<div class="dim">nothing was rejected in this period</div>'
    rows = []
    for one in found:
        chosen = {"reason": one.reason, "source": one.source}
        link = view.link("/rejected", window=view.window, **chosen)
        rows.append(
            [
                ("", f'<a href="{escape(link)}">{escape(one.reason)}</a>'),
                ("soft", escape(one.source) or "not readable"),
                ("n", text.whole(one.records)),
            ]
        )
    others = total - sum(one.records for one in found)
    if others:
        rows.append([("", "others"), ("soft", ""), ("n", text.whole(others))])
    rows.append([("", "all"), ("soft", ""), ("n", text.whole(total))])
    return html.table((("", "reason"), ("", "source"), ("n", "records")), rows)


def newest(found: Sequence[Rejected], known: Ledger | None, view: View, when: tuple[ZoneInfo, float]) -> str:
    """A row for each record; `when` is the zone and now, in seconds."""
    if not found:
        return '<div class="dim">none</div>'
    zone, now_s = when
    rows = []
    for one in found:
        link = view.link("/rejected", window=view.window, place=str(one.place))
        again = (known or {}).get(one.place)
        rows.append(
            [
                ("soft", text.clock(one.rejected_at / 1000, zone, now_s)),
                ("", f'<a href="{escape(link)}">{escape(one.reason)}</a>'),
                ("soft", escape(_why(one))),
                ("soft", escape(one.source or one.stage)),
                ("soft", text.clock(again.at / 1000, zone, now_s) if again else ""),
            ]
        )
    head = (("", "rejected at"), ("", "reason"), ("", "why"), ("", "source or stage"), ("", "sent again"))
    return html.table(head, rows)


def _why(one: Rejected) -> str:
    said = f"expected {one.expected}, got {one.got}" if one.expected or one.got else ""
    return ": ".join(filter(None, (one.field, said)))


def one(record: Rejected, content: Content, known: Ledger | None, zone: ZoneInfo) -> str:
    """A single one: why in words, what to do, and what it holds."""
    meaning, remedy = in_words(record.reason)
    again = (known or {}).get(record.place)
    times = max(record.attempt, attempt(record.place, before_of(known or {})))
    facts = {
        "rejected": f"{text.stamp(record.rejected_at, zone)} by {record.stage}",
        "source": record.source or "not readable",
        "channel": record.channel,
        "event type": record.event_type,
        "field": record.field,
        "expected": record.expected,
        "got": record.got,
        "sent so far": f"{times} time{'' if times == 1 else 's'}",
        "sent again": f"{text.stamp(again.at, zone)} to {again.to}" if again else UNKNOWN if known is None else "",
    }
    rows = [[("soft", name), ("", escape(value))] for name, value in facts.items() if value]
    words = f'<p class="about">{escape(meaning)} {escape(remedy)}</p>' if meaning else ""
    return words + html.table((("", ""), ("", "")), rows) + _held(content)


def _held(content: Content) -> str:
    if content.record is not None:
        shown = json.dumps(content.record, indent=2, ensure_ascii=False, default=str)
        title = "what could be read of it, which may be personal"
    elif content.text is not None:
        shown, title = content.text, "its text, which may be personal"
    else:
        shown, title = content.begins_with or "", "how its bytes begin"
    return (
        f'<div class="dim">{text.whole(content.size)} bytes: {title}</div><pre class="held mono">{escape(shown)}</pre>'
    )


def told(outcomes: Sequence[Outcome], zone: ZoneInfo) -> str:
    """What became of records, or would, in one line."""
    if len(outcomes) == 1:
        only = outcomes[0]
        if only.status == "unsendable":
            return f"It stays: {only.why}"
        if only.at is not None:
            before = "It was sent before, at" if only.status == "sent_before" else "Sent at"
            return f"{before} {text.stamp(only.at, zone)}, to {only.to}"
        return "It would be taken now."
    counted = Counter(str(outcome.status) for outcome in outcomes)
    return ", ".join(f"{text.whole(counted[name])} {word}" for name, word in WORDS.items() if counted[name]) or "none"


def sendable(outcomes: Sequence[Outcome]) -> list[Place]:
    """The places of those that would be sent."""
    return [outcome.place for outcome in outcomes if outcome.status == "sendable"]
