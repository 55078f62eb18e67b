"""A good body of every ready mapping, taken apart so that every part of it can be wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.hostile.entries import PERSON

Made = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A JSON body. `record` makes a record of an id and a time (milliseconds since epoch, UTC), `around` a document of records.

    `needed` are the names without which a record is a misfit; a dotted one is within an object. `time` is one of them.
    """

    name: str
    record: Callable[[str, int], Made]
    around: Callable[[Any], Any]
    needed: tuple[str, ...]
    time: str
    in_seconds: bool | None = None

    def document(self, event_id: str, now: int) -> bytes:
        """A body of one good record."""
        return self.of(self.record(event_id, now))

    def of(self, record: Any) -> bytes:
        """A body of a record."""
        return json.dumps(self.around(record)).encode()

    def with_value(self, event_id: str, now: int, name: str, value: Any) -> bytes:
        """A body whose record has another value at a name."""
        record = self.record(event_id, now)
        *path, last = name.split(".")
        holder = record
        for part in path:
            holder = holder[part]
        holder[last] = value
        return self.of(record)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Delimited text: the header line, if it has one, and what makes a row of an id and a time. `makes` are its touchpoints."""

    name: str
    head: str
    row: Callable[[str, int], str]
    time: int
    makes: int = 1

    def of(self, *rows: str, end: str = "\n") -> bytes:
        """A body of rows."""
        return (end.join([*([self.head] if self.head else []), *rows]) + end).encode("utf-8", "surrogateescape")

    def with_time(self, event_id: str, now: int, text: str) -> str:
        """A row with another time."""
        cells = self.row(event_id, now).split(",")
        cells[self.time] = text
        return ",".join(cells)


def iso(now: int) -> str:
    """A time in words."""
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _chatwoot(event_id: str, now: int) -> Made:
    sender = {"identifier": PERSON, "id": 7}
    conversation = {"id": event_id, "channel": "Channel::WebWidget", "meta": {"sender": sender}}
    told = {"event": "message_created", "message_type": "incoming", "private": False, "content": PERSON}
    return {**told, "id": event_id, "created_at": iso(now), "conversation": conversation, "sender": {}}


def _formbricks(event_id: str, now: int) -> Made:
    return {
        "id": event_id,
        "updatedAt": iso(now),
        "contact": {"userId": PERSON},
        "surveyId": "s",
        "data": {"why": PERSON},
    }


def _jsonl(event_id: str, now: int) -> Made:
    told = {"event_type": "page.viewed", "channel": "web", "source": "s", "customer": PERSON}
    return {**told, "event_id": event_id, "occurred_at": iso(now), "attributes": {"a": PERSON}}


def _mailgun(event_id: str, now: int) -> Made:
    return {"event": "opened", "id": event_id, "timestamp": now / 1000, "recipient": f"{PERSON}@example.com"}


def _segment(event_id: str, now: int) -> Made:
    return {"type": "page", "messageId": event_id, "userId": PERSON, "timestamp": iso(now), "properties": {"a": PERSON}}


def _snowplow(event_id: str, now: int) -> Made:
    return {"e": "pv", "eid": event_id, "uid": PERSON, "dtm": str(now), "p": "web", "url": PERSON}


def _asterisk(event_id: str, now: int) -> str:
    when = _clock(now)
    who = f'"","+493012345678","100","from-trunk","""{PERSON}"" <1>","SIP/1","SIP/2","Dial","{PERSON}"'
    return f'{who},"{when}","","{when}",0,0,"NO ANSWER","DOCUMENTATION","{event_id}",""'


def _freeswitch(event_id: str, now: int) -> str:
    when = _clock(now)
    return (
        f'"{PERSON}","+493012345678","100","public","{when}","","{when}","0","0","NO_ANSWER","{event_id}","","","",""'
    )


def _csv(event_id: str, now: int) -> str:
    return f"{event_id},page.viewed,web,s,{iso(now)},{PERSON},{PERSON}"


WEBHOOKS: Final = (
    Webhook("chatwoot", _chatwoot, lambda one: one, ("conversation.meta.sender", "created_at"), "created_at"),
    Webhook(
        "formbricks",
        _formbricks,
        lambda one: {"event": "responseFinished", "data": one},
        ("id", "updatedAt"),
        "updatedAt",
    ),
    Webhook("jsonl", _jsonl, lambda one: one, tuple(sorted(_jsonl("", 0).keys() - {"attributes"})), "occurred_at"),
    Webhook(
        "mailgun",
        _mailgun,
        lambda one: {"signature": {"token": PERSON}, "event-data": one},
        ("id", "timestamp", "recipient"),
        "timestamp",
        in_seconds=True,
    ),
    Webhook(
        "segment",
        _segment,
        lambda one: {"batch": one if isinstance(one, list) else [one], "context": {"x": PERSON}},
        ("messageId", "userId", "timestamp"),
        "timestamp",
    ),
    Webhook(
        "snowplow",
        _snowplow,
        lambda one: {"schema": PERSON, "data": one if isinstance(one, list) else [one]},
        ("eid", "uid", "dtm"),
        "dtm",
        in_seconds=False,
    ),
)
SHEETS: Final = (
    Sheet("asterisk", "", _asterisk, 9, makes=2),
    Sheet("freeswitch", "", _freeswitch, 4, makes=2),
    Sheet("csv", "event_id,event_type,channel,source,occurred_at,customer,attributes.a", _csv, 4),
)
