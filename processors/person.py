"""What is known of a person, as records for the topics: sessions, journeys, scores and the customer view.

All of it is read from the person's cells; nothing here is stored. A change is the difference between two readings, so a session
that two late touchpoints joined is retracted by name.
"""

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from processors import scores
from processors.cell import Cell, Latest, Total
from processors.policies import JourneyPolicy
from processors.runs import Run
from processors.scores import Scale

Record = dict[str, Any]
Place = tuple[str, str | None]
Spans = dict[int, tuple[int, int]]
Outputs = dict[str, list[Record]]


def places(person: Cell) -> Iterator[Place]:
    """Where the person has sessions: channel, and the source's own contact or None where pauses part them."""
    for name, channel in person.channels.items():
        yield name, None
        for contact in channel.contacts:
            yield name, contact


def sessions(person: Cell, place: Place) -> list[Run]:
    """The sessions in one place."""
    name, contact = place
    channel = person.channels.get(name)
    if channel is None:
        return []
    return channel.sessions if contact is None else channel.contacts.get(contact, [])


def session_id(person: str, place: Place, start: int) -> str:
    """The session's name: from its beginning, and from its source's id where that bounds it."""
    return "s_" + _name(f"{person}\0{place[0]}\0{place[1] or ''}\0{start}")


def journey_id(person: str, start: int) -> str:
    """The journey's name, from its beginning."""
    return "j_" + _name(f"{person}\0{start}")


def _name(text: str) -> str:
    # Naming the way of encoding costs four times as much as what it does, and nearly no text needs it.
    raw = text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=10).hexdigest()


class Told(msgspec.Struct, frozen=True):
    """Under which names a person's records go out, and with which version."""

    person: str
    cells: list[str]
    version: int


class Reading:
    """What can change or be retracted of a person, at one moment; later the person is compared with it.

    Of the sessions only those in `at` are read, because touchpoints change none elsewhere; where that is None, all of them.
    """

    __slots__ = ("answers", "at", "journeys", "sessions")

    def __init__(self, person: Cell | None, at: Collection[Place] | None = None) -> None:
        self.at = at
        self.sessions: dict[Place, Spans] = {}
        self.journeys: Spans = {}
        self.answers: dict[str, int] = {}
        if person is not None:
            for place in places(person) if at is None else at:
                self.sessions[place] = {run.start: (run.end, run.touchpoints) for run in sessions(person, place)}
            self.journeys = {run.start: (run.end, run.touchpoints) for run in person.journeys}
            if person.answers:
                self.answers = {key: held.count for key, held in person.answers.items()}


def outputs(told: Told, person: Cell, before: Reading, policy: JourneyPolicy) -> Outputs:
    """The records that say what changed since `before`, by kind; retractions come ahead of what replaces them.

    Nothing may have been forgotten since then.
    """
    return {
        "session": _session_changes(told, person, before),
        "journey": _journey_changes(told, person, before),
        "score": _score_changes(told, person, before, policy) if person.answers else [],
        "customer_view": [customer_view(told, person)],
    }


def _session_changes(told: Told, person: Cell, before: Reading) -> list[Record]:
    found: list[Record] = []
    for place in places(person) if before.at is None else before.at:
        was = before.sessions.get(place) or {}
        gone, changed = _compared(was, sessions(person, place))
        for start in gone:
            found.append(session(told, place, start, was[start], retracted=True))
        for run in changed:
            found.append(session(told, place, run.start, (run.end, run.touchpoints)))
    return found


def _compared(was: Spans, now: list[Run]) -> tuple[list[int], list[Run]]:
    """The starts of runs that are no more, and the runs that are new or not what they were."""
    changed, known = [], 0
    for run in now:
        span = was.get(run.start)
        if span is not None:
            known += 1
            if span == (run.end, run.touchpoints):
                continue
        changed.append(run)
    gone = [] if known == len(was) else sorted(was.keys() - {run.start for run in now})
    return gone, changed


def _score_changes(told: Told, person: Cell, before: Reading, policy: JourneyPolicy) -> list[Record]:
    return [
        score(told, Scale.of_key(key), person, policy)
        for key, held in person.answers.items()
        if before.answers.get(key) != held.count
    ]


def session(told: Told, place: Place, start: int, span: tuple[int, int], *, retracted: bool = False) -> Record:
    """One session as a record of its topic; `span` is its end and its number of touchpoints."""
    channel, contact = place
    end, touchpoints = span
    return {
        "person": told.person,
        "version": told.version,
        "cause": "touchpoint",
        "retracted": retracted,
        "session_id": session_id(told.person, place, start),
        "channel": channel,
        "delimited_by": "gap" if contact is None else "source",
        "source_session": contact if contact is None else contact.partition("\0")[2],
        "started_at": start,
        "ended_at": end,
        "touchpoints": touchpoints,
    }


def _journey_changes(told: Told, person: Cell, before: Reading) -> list[Record]:
    was = before.journeys
    gone, changed = _compared(was, person.journeys)
    found = [journey(told, run) for run in changed]
    return [journey(told, Run(start, was[start][0], 0), retracted=True) for start in gone] + found if gone else found


def journey(told: Told, run: Run, *, retracted: bool = False) -> Record:
    """One journey as a record of its topic; its path is the channels in the order of their first touchpoints."""
    parts = run.channels
    return {
        "person": told.person,
        "version": told.version,
        "cause": "touchpoint",
        "retracted": retracted,
        "journey_id": journey_id(told.person, run.start),
        "started_at": run.start,
        "ended_at": run.end,
        "touchpoints": run.touchpoints,
        "channels": {channel: parts[channel].touchpoints for channel in sorted(parts)},
        "path": list(parts) if len(parts) < 2 else sorted(parts, key=lambda channel: (parts[channel].first, channel)),
    }


def score(told: Told, scale: Scale, person: Cell, policy: JourneyPolicy) -> Record:
    """One person's score on one scale, over every window, as a record of its topic."""
    buckets = person.answers[scale.key]
    return {
        "person": told.person,
        "version": told.version,
        "cause": "touchpoint",
        "retracted": False,
        "metric": scale.metric,
        "scale": scale.name,
        "direction": scale.direction,
        "formula": scale.formula,
        "as_of": buckets.newest,
        "windows": [_window(scale, name, t) for name, t in scores.windows(buckets, policy.timezone).items()],
    }


def _window(scale: Scale, window: str, tally: scores.Tally) -> Record:
    reading = scores.read(scale, tally)
    return {
        "window": window,
        **msgspec.structs.asdict(tally),
        "value": reading.value,
        "interval_low": reading.low,
        "interval_high": reading.high,
    }


def customer_view(told: Told, person: Cell) -> Record:
    """Everything now known of the person, as a record of its topic."""
    held = person.channels
    channels = {channel: held[channel].touchpoints for channel in sorted(held)}
    return {
        "person": told.person,
        "version": told.version,
        "cause": "touchpoint",
        "retracted": False,
        "cells": told.cells,
        "first_seen_at": person.first,
        "last_seen_at": person.last,
        "touchpoints": sum(channels.values()),
        "channels": channels,
        "amounts": [_amount(currency, person.amounts[currency]) for currency in sorted(person.amounts)],
        "answers": [_latest(Scale.of_key(key), person.latest[key]) for key in sorted(person.latest)],
    }


def _amount(currency: str, total: Total) -> Record:
    return {"currency": currency, "minor_units": total.minor_units, "payments": total.payments}


def _latest(scale: Scale, latest: Latest) -> Record:
    return {"metric": scale.metric, "scale": scale.name, "value": latest.value, "answered_at": latest.answered_at}
