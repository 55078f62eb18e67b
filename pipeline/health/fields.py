"""Which fields of a touchpoint a source fills: the bits of `filled` in the table source_hours. Pure."""

from collections.abc import Mapping
from typing import Final

FIELDS: Final = (
    "sent_at",
    "received_at",
    "source_sequence",
    "account",
    "source_session",
    "agent",
    "site",
    "vendor",
    "language",
    "reason",
    "outcome",
    "answer",
    "amount",
    "duration_ms",
    "text",
    "promise",
    "campaign",
    "product",
    "attributes",
    "waited_ms",
)
"""The fields that may be empty, in the order of their bits; the migrations have the same order for ever."""

Mix = Mapping[tuple[str, int], int]
"""Touchpoints by event type and bits."""


def shares(mix: Mix) -> dict[str, float]:
    """The share of touchpoints that have each field filled, from 0 to 1; empty without touchpoints."""
    total = sum(mix.values())
    if not total:
        return {}
    return {
        name: sum(n for (_, bits), n in mix.items() if bits >> number & 1) / total for number, name in enumerate(FIELDS)
    }


def filled(mix: Mix, number: int) -> dict[str, tuple[int, int]]:
    """By event type: touchpoints, and those of them that have field `number` filled."""
    found: dict[str, tuple[int, int]] = {}
    for (event_type, bits), n in mix.items():
        all_of_it, with_it = found.get(event_type, (0, 0))
        found[event_type] = (all_of_it + n, with_it + (n if bits >> number & 1 else 0))
    return found
