"""What is known of a person, as records for the topics: sessions, journeys, scores and the customer view.

All of it is read from the person's cells; nothing here is stored. A change is the difference between two readings, so a session
that two late touchpoints joined is retracted by name.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from processors import scores
from processors.cell import Cell, Latest
from processors.policies import JourneyPolicy
from processors.runs import Run
from processors.scores import Scale

Record = dict[str, Any]
SessionKey = tuple[str, str | None, int, int, int]
Outputs = dict[str, list[Record]]


def sessions(person: Cell) -> Iterator[SessionKey]:
    """Every session as (channel, source's contact or None, start, end, touchpoints)."""
    for name, channel in person.channels.items():
        for run in channel.sessions:
            yield name, None, run.start, run.end, run.touchpoints
        for contact, held in channel.contacts.items():
            for run in held:
                yield name, contact, run.start, run.end, run.touchpoints


def session_id(person: str, session: SessionKey) -> str:
    """The session's name: from its beginning, and from its source's id where that bounds it."""
    channel, contact, start, _, _ = session
    return "s_" + _name(person, channel, contact or "", str(start))


def journey_id(person: str, start: int) -> str:
    """The journey's name, from its beginning."""
    return "j_" + _name(person, str(start))


def _name(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


class Told(msgspec.Struct, frozen=True):
    """Under which names a person's records go out, and with which version."""

    person: str
    cells: list[str]
    version: int


class Reading:
    """What can change or be retracted of a person, at one moment. Two of them tell what a batch of touchpoints has changed."""

    __slots__ = ("answers", "journeys", "sessions")

    def __init__(self, person: Cell | None) -> None:
        self.sessions = frozenset(sessions(person)) if person else frozenset()
        self.journeys = {run.start: (run.end, run.touchpoints) for run in person.journeys} if person else {}
        self.answers = {key: held.count for key, held in person.answers.items()} if person else {}


def outputs(told: Told, person: Cell, before: Reading, policy: JourneyPolicy) -> Outputs:
    """The records that say what changed since `before`, by kind; retractions come ahead of what replaces them.

    Nothing may have been forgotten between the two readings.
    """
    after = Reading(person)
    name, version = told.person, told.version
    return {
        "session": list(_session_changes(name, before, after, version)),
        "journey": list(_journey_changes(name, person, before, after, version)),
        "score": [
            score(name, Scale.of_key(key), person, version, policy)
            for key, count in after.answers.items()
            if before.answers.get(key) != count
        ],
        "customer_view": [customer_view(told, person)],
    }


def _head(person: str, version: int, *, retracted: bool = False) -> Record:
    return {"person": person, "version": version, "cause": "touchpoint", "retracted": retracted}


def _session_changes(name: str, before: Reading, after: Reading, version: int) -> Iterator[Record]:
    changed = sorted(after.sessions - before.sessions, key=_order)
    kept = {session_id(name, s) for s in changed}
    for gone in sorted(before.sessions - after.sessions, key=_order):
        if session_id(name, gone) not in kept:
            yield session(name, gone, version, retracted=True)
    for new in changed:
        yield session(name, new, version)


def _order(key: SessionKey) -> tuple[str, str, int]:
    return key[0], key[1] or "", key[2]


def session(person: str, key: SessionKey, version: int, *, retracted: bool = False) -> Record:
    """One session as a record of its topic."""
    channel, contact, start, end, touchpoints = key
    return {
        **_head(person, version, retracted=retracted),
        "session_id": session_id(person, key),
        "channel": channel,
        "delimited_by": "gap" if contact is None else "source",
        "source_session": contact if contact is None else contact.partition("\0")[2],
        "started_at": start,
        "ended_at": end,
        "touchpoints": touchpoints,
    }


def _journey_changes(name: str, person: Cell, before: Reading, after: Reading, version: int) -> Iterator[Record]:
    for start in sorted(before.journeys.keys() - after.journeys.keys()):
        end, _ = before.journeys[start]
        yield journey(name, Run(start, end, 0), version, retracted=True)
    for run in person.journeys:
        if before.journeys.get(run.start) != after.journeys[run.start]:
            yield journey(name, run, version)


def journey(person: str, run: Run, version: int, *, retracted: bool = False) -> Record:
    """One journey as a record of its topic; its path is the channels in the order of their first touchpoints."""
    return {
        **_head(person, version, retracted=retracted),
        "journey_id": journey_id(person, run.start),
        "started_at": run.start,
        "ended_at": run.end,
        "touchpoints": run.touchpoints,
        "channels": {channel: run.channels[channel].touchpoints for channel in sorted(run.channels)},
        "path": sorted(run.channels, key=lambda channel: (run.channels[channel].first, channel)),
    }


def score(name: str, scale: Scale, person: Cell, version: int, policy: JourneyPolicy) -> Record:
    """One person's score on one scale, over every window, as a record of its topic."""
    buckets = person.answers[scale.key]
    return {
        **_head(name, version),
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
    return {
        **_head(told.person, told.version),
        "cells": told.cells,
        "first_seen_at": person.first,
        "last_seen_at": person.last,
        "touchpoints": sum(channel.touchpoints for channel in person.channels.values()),
        "channels": {channel: person.channels[channel].touchpoints for channel in sorted(person.channels)},
        "amounts": [{"currency": c, **msgspec.structs.asdict(person.amounts[c])} for c in sorted(person.amounts)],
        "answers": [_latest(Scale.of_key(key), person.latest[key]) for key in sorted(person.latest)],
    }


def _latest(scale: Scale, latest: Latest) -> Record:
    return {"metric": scale.metric, "scale": scale.name, "value": latest.value, "answered_at": latest.answered_at}
