"""The intake's desk without Kafka and without HTTP: what it would answer to an entry, and what it would store."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import Request

from pipeline.config import Settings
from pipeline.events import Out
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents, TooMuch, form_of
from pipeline.intake.desk import Desk
from pipeline.intake.judging import Judge
from pipeline.intake.mapped import Mapped
from pipeline.intake.outbox import Outbox
from pipeline.intake.requests import Refusal, body_of
from pipeline.intake.shape import shape_of
from pipeline.intake.verdicts import Verdict
from pipeline.replay.ready import ready
from tests.harness.touchpoints import SECRET, admission, encoder
from tests.hostile.entries import Entry

SETTINGS = Settings.model_fields
BODY_BYTES: int = SETTINGS["intake_body_bytes"].default
EVENT_BYTES: int = SETTINGS["intake_event_bytes"].default
EVENTS: int = SETTINGS["intake_events"].default


@dataclass(slots=True)
class Stored:
    """Stands where Kafka would."""

    records: list[Out] = field(default_factory=list)

    async def put(self, records: Sequence[Out]) -> None:
        """Keep them."""
        self.records += records


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its status, its codes as an `Entry` has them, and every word in it that is not the sender's own event id."""

    status: int
    codes: tuple[str, ...]
    words: str


class Front:
    """A desk with the intake's own bounds. `now` is milliseconds since epoch, UTC."""

    def __init__(self, now: int) -> None:
        self.stored = Stored()
        outbox = cast(Outbox, self.stored)
        self._desk = Desk(outbox, encoder("touchpoint"), "cx.", lambda: now, EVENTS)
        self._judge = Judge("load", shape_of("touchpoint"), admission(), EVENT_BYTES)

    def answer(self, entry: Entry) -> Told:
        """What is told to whoever sends this."""
        form = Mapped(ready(entry.mapping), SECRET) if entry.mapping else form_of(entry.kind)
        assert form is not None
        try:
            body = asyncio.run(body_of(_request(entry), BODY_BYTES))
            verdicts = asyncio.run(self._desk.take(body, form, self._judge))
        except Refusal as refusal:
            return Told(refusal.status, (refusal.code,), str(refusal))
        except BodyUnreadable as error:
            return Told(400, (error.why.reason.value,), f"{error.why.field} {error.why.expected} {error.why.got}")
        except TooManyEvents:
            return Told(413, ("too_many",), "")
        except TooMuch:
            return Told(413, ("too_large",), "")
        codes = tuple(one.reason or one.status for one in verdicts)
        taken = any(one.status != "rejected" for one in verdicts) or not verdicts
        return Told(202 if taken else 422, codes, " ".join(map(_words, verdicts)))


def _words(verdict: Verdict) -> str:
    return f"{verdict.field} {verdict.expected} {verdict.got}"


def _request(entry: Entry) -> Request:
    body = entry.make()
    headers = [(name.lower().encode(), value.encode()) for name, value in entry.headers]
    scope = {"type": "http", "method": "POST", "headers": [*headers, (b"content-length", str(len(body)).encode())]}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)
