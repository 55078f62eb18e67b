"""How `touchstream rejected` tells of records, to people and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.codec import Decoder
from pipeline.redrives import Before, Ledger, Rejected, attempt
from pipeline.redriving import Outcome
from pipeline.rejected_content import content


def said(one: Rejected, known: Ledger, before: Before) -> dict[str, Any]:
    """Everything about a rejected record but its bytes; `before` is `before_of` what is known."""
    again = known.get(one.place)
    return {
        "place": str(one.place),
        "rejected_at": time_text(one.rejected_at),
        "stage": one.stage,
        "source": one.source,
        "event_type": one.event_type,
        "channel": one.channel,
        "reason": one.reason,
        "field": one.field,
        "expected": one.expected,
        "got": one.got,
        "schema_id": one.schema_id,
        "attempt": max(one.attempt, attempt(one.place, before)),
        "sent_again": time_text(again.at) if again else None,
        "sent_to": str(again.to) if again else None,
    }


def shown(one: Rejected, decoders: Mapping[str, Decoder]) -> dict[str, Any]:
    """Its fields, its text, or how its bytes begin."""
    found = content(one, decoders)
    parts = {"record": found.record, "text": found.text, "begins_with": found.begins_with}
    return {"bytes": found.size, **{name: part for name, part in parts.items() if part is not None}}


def outcome(one: Outcome) -> dict[str, Any]:
    """What became of one record."""
    at, to = (time_text(one.at) if one.at else None), (str(one.to) if one.to else None)
    return {"place": str(one.place), "status": one.status, "at": at, "to": to, "why": one.why}


def lines(outcomes: list[Outcome], counts: Counter[str]) -> Iterator[str]:
    """What became of records: a line for each that was not sent, and the counts."""
    for one in outcomes:
        if one.status == "unsendable":
            yield f"{one.place} stays: {one.why}"
        elif one.status == "sent_before" and one.at:
            yield f"{one.place} was sent at {time_text(one.at)} to {one.to}"
    words = {"sent": "sent", "sendable": "would be sent", "unsendable": "stay", "sent_before": "sent before"}
    yield ", ".join(f"{counts[name]} {text}" for name, text in words.items() if counts[name]) or "none there"


def time_text(ms: int) -> str:
    """Milliseconds since epoch as ISO 8601, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
