"""The state of one cell: all that one identifier's touchpoints have left behind.

Everything in it is a sum, a least or a greatest, so cells of one person add up, and parting them again takes nothing away.
"""

from typing import Any

import msgspec

from processors import runs, scores
from processors.policies import JourneyPolicy
from processors.runs import Run
from processors.scores import Buckets, Scale


class Touch(msgspec.Struct, frozen=True, gc=False):
    """What the journey stage needs of a resolved touchpoint. Times in milliseconds since epoch, UTC."""

    event_id: str
    channel: str
    occurred_at: int
    actor_type: str
    contact: str | None
    answer: dict[str, Any] | None
    amount: dict[str, Any] | None


class Channel(msgspec.Struct, array_like=True, gc=False):
    """One channel's touchpoints: how many, the newest, the runs by the pause rule and those by the source's own ids."""

    touchpoints: int = 0
    newest: int = -1
    sessions: list[Run] = msgspec.field(default_factory=list)
    contacts: dict[str, list[Run]] = msgspec.field(default_factory=dict)


class Latest(msgspec.Struct, array_like=True, order=True, gc=False):
    """The newest answer on one scale; the event id breaks ties."""

    answered_at: int
    event_id: str
    value: int


class Total(msgspec.Struct, array_like=True, gc=False):
    """Money in one currency, in minor units, and in how many amounts."""

    minor_units: int = 0
    payments: int = 0


class Cell(msgspec.Struct, array_like=True, gc=False):
    """One identifier's state."""

    first: int
    last: int
    channels: dict[str, Channel] = msgspec.field(default_factory=dict)
    journeys: list[Run] = msgspec.field(default_factory=list)
    amounts: dict[str, Total] = msgspec.field(default_factory=dict)
    answers: dict[str, Buckets] = msgspec.field(default_factory=dict)
    latest: dict[str, Latest] = msgspec.field(default_factory=dict)

    @classmethod
    def empty(cls) -> "Cell":
        """A cell that has seen nothing."""
        return cls(first=1 << 62, last=-1)


def add(cell: Cell, touch: Touch, policy: JourneyPolicy) -> None:
    """Add one touchpoint, in place. The caller sees to it that the same one is not added twice.

    Whether it is too old to change a session depends on the newest one before it, not on whether `forget` has been called since,
    so that the state does not depend on where batches end.
    """
    at = touch.occurred_at
    if at < cell.first:
        cell.first = at
    if at > cell.last:
        cell.last = at
    channel = cell.channels.get(touch.channel)
    if channel is None:
        channel = cell.channels[touch.channel] = Channel()
    channel.touchpoints += 1
    if at >= channel.newest:
        channel.newest = at
    if at >= channel.newest - policy.horizon_ms:
        contact = touch.contact
        if contact is None:
            runs.touch(channel.sessions, at, policy.gap(touch.channel))
        else:
            runs.touch(channel.contacts.setdefault(contact, []), at, policy.horizon_ms)
    if at >= cell.last - policy.journey_horizon_ms:
        runs.touch(cell.journeys, at, policy.journey_gap_ms, touch.channel)
    if touch.amount is not None:
        total = cell.amounts.setdefault(touch.amount["currency"], Total())
        total.minor_units += touch.amount["minor_units"]
        total.payments += 1
    if touch.answer is not None and touch.actor_type == "customer":
        _answer(cell, touch, touch.answer, policy)


def _answer(cell: Cell, touch: Touch, answer: dict[str, Any], policy: JourneyPolicy) -> None:
    scale = Scale(answer["metric"], answer["scale_min"], answer["scale_max"], answer["direction"])
    buckets = cell.answers.setdefault(scale.key, Buckets())
    scores.add(buckets, scale, answer["value"], touch.occurred_at, policy.timezone)
    newest = Latest(touch.occurred_at, touch.event_id, answer["value"])
    held = cell.latest.get(scale.key)
    if held is None or newest > held:
        cell.latest[scale.key] = newest


def forget(cell: Cell, policy: JourneyPolicy) -> None:
    """Drop what lies beyond the horizons, in place. To be called when every change has been told, never between.

    A run is kept a gap longer than its horizon: a touchpoint at the horizon's edge can still join it.
    """
    edge = cell.last - policy.journey_horizon_ms - policy.journey_gap_ms
    if cell.journeys and cell.journeys[0].end < edge:
        runs.forget(cell.journeys, edge)
    for name, channel in cell.channels.items():
        edge = channel.newest - policy.horizon_ms
        if channel.sessions and channel.sessions[0].end < edge:
            runs.forget(channel.sessions, edge - policy.gap(name))
        if channel.contacts:
            _forget_contacts(channel.contacts, edge - policy.horizon_ms)


def _forget_contacts(contacts: dict[str, list[Run]], before: int) -> None:
    for contact in [name for name, held in contacts.items() if not held or held[0].end < before]:
        runs.forget(contacts[contact], before)
        if not contacts[contact]:
            del contacts[contact]


def union(cells: list[Cell], policy: JourneyPolicy) -> Cell:
    """All touchpoints of several cells together: a person. The cells stay as they are."""
    if len(cells) == 1:
        return cells[0]
    whole = Cell(min(c.first for c in cells), max(c.last for c in cells))
    whole.journeys = runs.union([c.journeys for c in cells], policy.journey_gap_ms)
    for name in _names(cells, "channels"):
        parts = [c.channels[name] for c in cells if name in c.channels]
        whole.channels[name] = _union_channel(name, parts, policy)
    for name in _names(cells, "amounts"):
        totals = [c.amounts[name] for c in cells if name in c.amounts]
        whole.amounts[name] = Total(sum(t.minor_units for t in totals), sum(t.payments for t in totals))
    for name in _names(cells, "answers"):
        whole.answers[name] = scores.union([c.answers[name] for c in cells if name in c.answers], policy.timezone)
        whole.latest[name] = max(c.latest[name] for c in cells if name in c.latest)
    return whole


def _names(cells: list[Cell], of: str) -> list[str]:
    return sorted({name for cell in cells for name in getattr(cell, of)})


def _union_channel(name: str, parts: list[Channel], policy: JourneyPolicy) -> Channel:
    whole = Channel(sum(p.touchpoints for p in parts), max(p.newest for p in parts))
    whole.sessions = runs.union([p.sessions for p in parts], policy.gap(name))
    for contact in sorted({contact for part in parts for contact in part.contacts}):
        held = [part.contacts[contact] for part in parts if contact in part.contacts]
        whole.contacts[contact] = runs.union(held, policy.horizon_ms)
    return whole
