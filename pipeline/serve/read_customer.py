"""What ClickHouse knows of one person. Times are milliseconds since epoch, UTC."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pipeline.serve.clickhouse import Source
from pipeline.serve.identify import Meaning
from pipeline.serve.periods import DAY_MS

CUSTOMER: Final = """
SELECT person, version, cells, toUnixTimestamp64Milli(first_seen_at), toUnixTimestamp64Milli(last_seen_at), touchpoints,
    channels, arrayZip(amounts.currency, amounts.minor_units, amounts.payments),
    arrayZip(answers.metric, answers.scale, answers.value, answers.answered_at)
FROM customers FINAL WHERE {where}
"""
BY_PERSON: Final = CUSTOMER.format(where="person IN %(persons)s")
BY_CELL: Final = CUSTOMER.format(where="hasAny(cells, %(cells)s)") + " LIMIT 20"
PERSON_OF_CELLS: Final = """
SELECT cell, argMax(person, (identity_version, _offset)) FROM touchpoints WHERE cell IN %(cells)s GROUP BY cell
"""
SCORES: Final = """
SELECT metric, scale, direction, window, formula, toUnixTimestamp64Milli(as_of), n, value, interval_low, interval_high
FROM scores FINAL WHERE person = %(person)s ORDER BY metric, scale, direction, window
"""
SESSIONS: Final = """
SELECT session_id, channel, delimited_by, source_session, toUnixTimestamp64Milli(started_at) AS started,
    toUnixTimestamp64Milli(ended_at), touchpoints
FROM sessions FINAL WHERE person = %(person)s
    AND started_at <= fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')
ORDER BY started DESC, session_id LIMIT %(limit)s
"""
JOURNEYS: Final = """
SELECT journey_id, toUnixTimestamp64Milli(started_at) AS started, toUnixTimestamp64Milli(ended_at), touchpoints, channels,
    path
FROM journeys FINAL WHERE person = %(person)s
    AND started_at <= fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')
ORDER BY started DESC, journey_id LIMIT %(limit)s
"""
TIMELINE: Final = """
SELECT event_id, event_type, channel, toUnixTimestamp64Milli(occurred_at) AS at, toUnixTimestamp64Milli(arrived_at), source,
    cell, actor_type, source_session, site, vendor, language, reason, outcome,
    answer_question, answer_metric, answer_scale_min, answer_scale_max, answer_direction, answer_value, answer_aspect,
    amount_currency, amount_minor_units, duration_ms, promise_id, promise_kind, campaign, product,
    arrayZip(identifiers.namespace, identifiers.value), account, agent, text
FROM touchpoints FINAL
WHERE cell IN %(cells)s AND occurred_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC')
    AND (occurred_at, event_id) < (fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC'), %(before_id)s)
    AND occurred_at <= fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')
ORDER BY at DESC, event_id DESC LIMIT %(limit)s
"""
TOUCH_FIELDS: Final = (
    *("event_id", "event_type", "channel", "occurred_ms", "arrived_ms", "source", "cell", "actor_type"),
    *("source_session", "site", "vendor", "language", "reason", "outcome"),
    *("question", "metric", "scale_min", "scale_max", "direction", "value", "aspect", "currency", "minor_units"),
    *("duration_ms", "promise_id", "promise_kind", "campaign", "product", "identifiers", "account", "agent", "text"),
)
Touch = dict[str, Any]
"""One touchpoint, by the names of `TOUCH_FIELDS`."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of `customers`: `amounts` as (currency, minor units, payments), `answers` as (metric, scale, value, ms)."""

    person: str
    version: int
    cells: list[str]
    first_ms: int
    last_ms: int
    touchpoints: int
    channels: dict[str, int]
    amounts: list[tuple[str, int, int]]
    answers: list[tuple[str, str, int, int]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the timeline begins: before this time and, at this very time, before this event id."""

    at_ms: int
    event_id: str = ""


# A touchpoint can be stored a moment before the view of its customer is, so a first page is not cut at `last_ms`.
END_OF_TIME: Final = Cursor(7_258_118_400_000)


@dataclass(frozen=True, slots=True)
class Page:
    """How much to read: touchpoints before `cursor` (None: from the newest) newest first, down to `days` before the
    first of them."""

    cursor: Cursor | None = None
    limit: int = 50
    days: int = 365
    sessions: int = 20
    journeys: int = 20


@dataclass(frozen=True, slots=True)
class Story:
    """A page of a person's touchpoints with the sessions and journeys around them; `more`: older ones exist in reach."""

    touches: list[Touch]
    more: bool
    sessions: list[tuple[Any, ...]]
    journeys: list[tuple[Any, ...]]
    scores: list[tuple[Any, ...]]


async def find(source: Source, meaning: Meaning) -> list[Customer]:
    """The persons that are meant; several when a bare value fits identifiers of different persons."""
    if meaning.person:
        return await _customers(source, BY_PERSON, {"persons": (meaning.person,)})
    rows = await source.rows(PERSON_OF_CELLS, {"cells": meaning.cells})
    if rows:
        persons = tuple({person for _, person in rows})
        cells = set(meaning.cells)
        # Touchpoints may still name a person that was merged into another: only the view's own cells prove it.
        found = await _customers(source, BY_PERSON, {"persons": persons})
        if len(found) == len(persons) and all(cells.intersection(customer.cells) for customer in found):
            return found
    return await _customers(source, BY_CELL, {"cells": list(meaning.cells)})


async def _customers(source: Source, sql: str, parameters: dict[str, Any]) -> list[Customer]:
    return [Customer(*row) for row in await source.rows(sql, parameters)]


async def story(source: Source, customer: Customer, page: Page) -> Story:
    """A page of the person's touchpoints, with everything that is shown around it."""
    cursor = page.cursor or END_OF_TIME
    newest = min(cursor.at_ms, customer.last_ms)
    window = {
        "cells": tuple(customer.cells),
        "before": cursor.at_ms,
        "before_id": cursor.event_id,
        "since": max(0, newest - page.days * DAY_MS),
        "limit": page.limit + 1,
    }
    person = {"person": customer.person, "before": cursor.at_ms}
    touches, sessions, journeys, scores = await asyncio.gather(
        source.rows(TIMELINE, window),
        source.rows(SESSIONS, person | {"limit": page.sessions}),
        source.rows(JOURNEYS, person | {"limit": page.journeys}),
        source.rows(SCORES, {"person": customer.person}),
    )
    named = [dict(zip(TOUCH_FIELDS, row, strict=True)) for row in touches[: page.limit]]
    return Story(named, len(touches) > page.limit, list(sessions), list(journeys), list(scores))
