"""Made-up customers for tests of the board and the API: seeded, in the tables' own form, and able to go on living."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from clickhouse_driver import Client

from pipeline.keys import Keyring, person_of
from sinks import migrations

SECRET: Final = "board-data-secret-0001"
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
SESSION_GAP_MS: Final = 30 * 60_000
JOURNEY_GAP_MS: Final = 72 * HOUR_MS

SOURCE_OF: Final = {
    "web": "web-shop",
    "app": "app-backend",
    "call": "pbx-north",
    "email": "mail-vendor-b",
    "chat": "chat-desk",
    "store": "till-07",
}
EVENTS: Final = {
    "web": ("page.viewed", "order.placed", "cart.abandoned"),
    "app": ("screen.viewed", "order.placed", "notification.opened"),
    "call": ("call.ended",),
    "email": ("email.opened", "email.replied"),
    "chat": ("chat.ended",),
    "store": ("purchase.made",),
}
NEXT: Final = {
    "": (("web", 46), ("app", 30), ("email", 14), ("call", 6), ("store", 4)),
    "web": (("web", 30), ("call", 22), ("app", 18), ("email", 16), ("chat", 10), ("store", 4)),
    "app": (("app", 40), ("web", 22), ("call", 16), ("chat", 14), ("email", 8)),
    "call": (("call", 30), ("web", 30), ("email", 24), ("app", 16)),
    "email": (("web", 55), ("call", 20), ("app", 25)),
    "chat": (("call", 40), ("web", 35), ("app", 25)),
    "store": (("web", 50), ("app", 50)),
}
METRICS: Final = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


@dataclass(frozen=True, slots=True)
class Touch:
    """One made-up touchpoint; times in milliseconds since epoch, UTC."""

    person: int
    channel: str
    occurred: int
    arrived: int
    event_type: str
    answer: tuple[str, int] | None = None
    outcome: str | None = None
    amount: int | None = None


@dataclass
class World:
    """Writes touchpoints and what the stages would derive from them. Every third person has two cells."""

    client: Client
    seed: int = 7
    keyring: Keyring = field(default_factory=lambda: Keyring(SECRET.encode()))
    touches: defaultdict[int, list[Touch]] = field(default_factory=lambda: defaultdict(list))
    sequence: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def identifiers(self, number: int) -> list[tuple[str, str]]:
        """(namespace, value) pairs of a person, strongest first."""
        pairs = [("customer", f"cust-{number:05d}")]
        return [*pairs, ("email", f"person{number}@mail.example")] if number % 3 == 0 else pairs

    def cells(self, number: int) -> list[str]:
        """The person's cells."""
        return [self.keyring.cell(*pair) for pair in self.identifiers(number)]

    def person(self, number: int) -> str:
        """The person's name."""
        return person_of(self.cells(number)[0])

    def past(self, persons: int, days: float, now_ms: int) -> None:
        """Make up journeys of the last `days` days and write everything."""
        for number in range(persons):
            at = now_ms - int(self.random.random() * days * DAY_MS)
            channel = ""
            while at < now_ms and self.random.random() < 0.86:
                channel = self._next(channel)
                for _ in range(self.random.randint(1, 5)):
                    if at < now_ms:
                        self.touches[number].append(self._touch(number, channel, at, now_ms))
                    at += self.random.randint(5_000, 9 * 60_000)
                at += int(self.random.expovariate(1 / (5 * HOUR_MS))) + SESSION_GAP_MS
        self.write([touch for touches in self.touches.values() for touch in touches])

    def arrive(self, count: int, at_ms: int, persons: int) -> None:
        """`count` touchpoints that happen and arrive within the second before `at_ms`, by any of `persons` persons."""
        fresh = []
        for _ in range(count):
            number = self.random.randrange(persons)
            last = self.touches[number][-1] if self.touches[number] else None
            fits = last is not None and at_ms - last.occurred < SESSION_GAP_MS
            channel = last.channel if last and fits else self._next(last.channel if last else "")
            touch = self._touch(number, channel, at_ms - self.random.randint(1, 999), at_ms)
            self.touches[number].append(touch)
            fresh.append(touch)
        self.write(fresh)

    def _next(self, channel: str) -> str:
        names, weights = zip(*NEXT[channel], strict=True)
        return str(self.random.choices(names, weights)[0])

    def _touch(self, number: int, channel: str, at: int, now_ms: int) -> Touch:
        r = self.random
        arrived = min(now_ms - 1, at + r.randint(40, 900))
        answer = None
        if r.random() < (0.16 if channel in ("call", "email", "chat") else 0.03):
            metric = r.choice(tuple(METRICS))
            low, high = METRICS[metric]
            drift = 0.05 if now_ms - at < 4 * DAY_MS and metric == "csat" else 0.0
            answer = (metric, min(high, low + int((high - low + 1) * r.betavariate(3.4, 1.15 + drift * 6))))
        kind = "survey.answered" if answer else r.choices(EVENTS[channel], (6, 2, 1)[: len(EVENTS[channel])])[0]
        paid = r.randint(900, 24_900) if kind in ("order.placed", "purchase.made") else None
        outcome = (
            r.choice(("resolved", "resolved", "transferred")) if channel in ("call", "chat") and not answer else None
        )
        return Touch(number, channel, at, max(arrived, at), kind, answer, outcome, paid)

    def write(self, touches: list[Touch]) -> None:
        """Insert touchpoints, then the sessions, journeys and customers of everybody they belong to."""
        self._insert("touchpoints", [self._touchpoint(touch) for touch in touches])
        persons = {touch.person for touch in touches}
        sessions = [row for number in persons for row in self._sessions(number)]
        self._insert("sessions", sessions)
        self._insert("journeys", [row for number in persons for row in self._journeys(number)])
        self._insert("customers", [self._customer(number) for number in persons])
        self._insert("scores", [row for number in persons for row in self._scores(number)])

    def reject(self, topic: str, reason: str, count: int, at_ms: int) -> None:
        """Write `count` rejections."""
        rows = []
        for _ in range(count):
            self.sequence += 1
            rows.append(
                {"source_topic": topic, "source_partition": 0, "source_offset": self.sequence, "rejected_at": at_ms}
                | {"stage": "resolve", "reason": reason, "field": "", "expected": "", "got": "", "schema_id": None}
                | {"attempt": 1, "key": "", "payload": "", "_topic": "cx.rejected.v1", "_partition": 0}
                | {"_offset": self.sequence}
            )
        self._insert("rejected", rows)

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            columns = list(rows[0])
            data = [[row[column] for row in rows] for column in columns]
            names = ", ".join(f"`{column}`" for column in columns)
            self.client.execute(f"INSERT INTO {table} ({names}) VALUES", data, columnar=True)

    def _origin(self, topic: str) -> dict[str, Any]:
        self.sequence += 1
        return {"_topic": topic, "_partition": self.sequence % 4, "_offset": self.sequence}

    def _touchpoint(self, touch: Touch) -> dict[str, Any]:
        pairs = self.identifiers(touch.person)
        uses = pairs[-1:] if touch.channel == "email" else pairs
        metric, value = touch.answer or (None, None)
        low, high = METRICS[metric] if metric else (None, None)
        origin = self._origin("cx.touchpoints.resolved.v1")
        return {
            "event_id": f"ev-{self.seed}-{self.sequence}",
            "event_type": touch.event_type,
            "channel": touch.channel,
            "occurred_at": touch.occurred,
            "arrived_at": touch.arrived,
            "source": SOURCE_OF[touch.channel],
            "person": self.person(touch.person),
            "cell": self.keyring.cell(*uses[0]),
            "identity_version": 1,
            "identifiers.namespace": [name for name, _ in uses],
            "identifiers.value": [value for _, value in uses],
            "actor_type": "customer",
            "outcome": touch.outcome,
            "answer_question": f"q-{metric}" if metric else None,
            "answer_metric": metric,
            "answer_scale_min": low,
            "answer_scale_max": high,
            "answer_direction": "high_is_good" if metric else None,
            "answer_value": value,
            "amount_currency": "EUR" if touch.amount else None,
            "amount_minor_units": touch.amount,
            "text": "The parcel came late again." if touch.event_type == "email.replied" else None,
            "source_topic": f"cx.touchpoints.{touch.channel}.v1",
            "source_partition": 0,
            "source_offset": self.sequence,
            **origin,
        }

    def _sessions(self, number: int) -> list[dict[str, Any]]:
        return [
            {
                "person": self.person(number),
                "session_id": f"s_{number}_{visit[0].occurred}",
                "version": len(visit),
                "cause": "touchpoint",
                "retracted": 0,
                "channel": visit[0].channel,
                "delimited_by": "gap",
                "started_at": visit[0].occurred,
                "ended_at": visit[-1].occurred,
                "touchpoints": len(visit),
                **self._origin("cx.sessions.v1"),
            }
            for visit in self._visits(number)
        ]

    def _visits(self, number: int) -> list[list[Touch]]:
        touches = sorted(self.touches[number], key=lambda t: t.occurred)
        visits = [[touches[0]]]
        for before, touch in pairwise(touches):
            if touch.channel != before.channel or touch.occurred - before.occurred > SESSION_GAP_MS:
                visits.append([])
            visits[-1].append(touch)
        return visits

    def _journeys(self, number: int) -> list[dict[str, Any]]:
        ways: list[list[list[Touch]]] = [[]]
        for visit in self._visits(number):
            if ways[-1] and visit[0].occurred - ways[-1][-1][-1].occurred > JOURNEY_GAP_MS:
                ways.append([])
            ways[-1].append(visit)
        return [
            {
                "person": self.person(number),
                "journey_id": f"j_{number}_{way[0][0].occurred}",
                "version": sum(map(len, way)),
                "cause": "touchpoint",
                "retracted": 0,
                "started_at": way[0][0].occurred,
                "ended_at": way[-1][-1].occurred,
                "touchpoints": sum(map(len, way)),
                "channels": _counts(t.channel for visit in way for t in visit),
                "path": [visit[0].channel for visit in way][-20:],
                **self._origin("cx.journeys.v1"),
            }
            for way in ways
        ]

    def _customer(self, number: int) -> dict[str, Any]:
        touches = sorted(self.touches[number], key=lambda t: t.occurred)
        latest = {t.answer[0]: (t.answer[1], t.occurred) for t in touches if t.answer}
        paid = [t.amount for t in touches if t.amount]
        return {
            "person": self.person(number),
            "version": len(touches),
            "cause": "touchpoint",
            "retracted": 0,
            "cells": self.cells(number),
            "first_seen_at": touches[0].occurred,
            "last_seen_at": touches[-1].occurred,
            "touchpoints": len(touches),
            "channels": _counts(t.channel for t in touches),
            "amounts.currency": ["EUR"] if paid else [],
            "amounts.minor_units": [sum(paid)] if paid else [],
            "amounts.payments": [len(paid)] if paid else [],
            "answers.metric": list(latest),
            "answers.scale": ["{}-{}".format(*METRICS[metric]) for metric in latest],
            "answers.value": [value for value, _ in latest.values()],
            "answers.answered_at": [at for _, at in latest.values()],
            **self._origin("cx.customers.v1"),
        }

    def _scores(self, number: int) -> list[dict[str, Any]]:
        given = [(t.answer, t.occurred) for t in self.touches[number] if t.answer]
        return [
            {
                "person": self.person(number),
                "metric": metric,
                "scale": f"{low}-{high}",
                "direction": "high_is_good",
                "window": "30d",
                "version": len(given),
                "cause": "touchpoint",
                "retracted": 0,
                "formula": f"{metric}/1",
                "as_of": max(at for _, at in given),
                "n": len(values),
                "sum": sum(values),
                "sum_of_squares": sum(v * v for v in values),
                "high": sum(v == high for v in values),
                "low": sum(v == low for v in values),
                "value": sum(values) / len(values),
                "interval_low": None,
                "interval_high": None,
                **self._origin("cx.scores.v1"),
            }
            for metric, (low, high) in METRICS.items()
            if (values := [answer[1] for answer, _ in given if answer[0] == metric])
        ]


def create_tables(client: Client) -> None:
    """Make the pipeline's own tables in the client's database."""
    for migration in migrations.listed():
        for statement in migration.statements():
            client.execute(statement)


def _counts(names: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
