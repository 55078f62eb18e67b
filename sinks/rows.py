"""From records to rows: for every topic its table, the table's columns, and one row (or several) for a record. Pure.

Times stay integers, milliseconds since epoch, UTC: the driver hands them on as they are.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, NamedTuple

Record = dict[str, Any]
Row = tuple[Any, ...]
# Part of every deduplication token: another version of this code may make other rows of the same records.
ROWS_VERSION: Final = 3
FOLLOWING: Final = 3
INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")


class Where(NamedTuple):
    """Where the record lies that a row was made from: the last three columns of every table."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table, its columns in the order of `rows`, the record it takes (None: no Avro), and how a record becomes rows.

    Where the columns are fields of the record, `fields` names them as a codec does that reads whole columns. Those within `each`
    are in a list in the record, and there is a row for each of its items.

    Its inserts lie `lingers` times as far apart as those of touchpoints: what follows from these is told again and again.
    """

    name: str
    columns: tuple[str, ...]
    record: str | None
    rows: Callable[[Record, Where], Iterable[Row]]
    fields: tuple[str, ...] = ()
    each: str = ""
    lingers: int = 1

    @property
    def arrived_at(self) -> int | None:
        """Where in a row the time of arrival stands, for tables that have it."""
        return self.columns.index("arrived_at") if "arrived_at" in self.columns else None


WHERE: Final = ("_topic", "_partition", "_offset")
_TOUCHPOINT_PLAIN: Final = (
    "event_id",
    "event_type",
    "channel",
    "occurred_at",
    "sent_at",
    "received_at",
    "arrived_at",
    "source",
    "source_sequence",
    "person",
    "cell",
    "identity_version",
    "actor_type",
    "account",
    "source_session",
    "agent",
    "site",
    "vendor",
    "language",
    "reason",
    "outcome",
    "duration_ms",
    "text",
    "campaign",
    "product",
    "attributes",
    "source_topic",
    "source_partition",
    "source_offset",
    "waited_ms",
    "reported_at",
)
_ANSWER: Final = ("question", "metric", "scale_min", "scale_max", "direction", "value", "aspect")
_AMOUNT: Final = ("currency", "minor_units")
_PROMISE: Final = ("promise_id", "kind", "due_at")
_TOUCHPOINT_PARTS: Final = (("answer", _ANSWER), ("amount", _AMOUNT), ("promise", _PROMISE))


_plain: Final = itemgetter(*_TOUCHPOINT_PLAIN)
_PARTS: Final = tuple((name, itemgetter(*names), (None,) * len(names)) for name, names in _TOUCHPOINT_PARTS)


def _touchpoint(record: Record, where: Where) -> Iterable[Row]:
    identifiers = record["identifiers"]
    answer, amount, promise = [
        absent if (part := record[name]) is None else inner(part) for name, inner, absent in _PARTS
    ]
    namespaces, values = [i["namespace"] for i in identifiers], [i["value"] for i in identifiers]
    return ((*_plain(record), namespaces, values, *answer, *amount, *promise, *where),)


_VERSIONED: Final = ("person", "version", "cause", "retracted")
_SESSION: Final = (
    *_VERSIONED,
    "session_id",
    "channel",
    "delimited_by",
    "source_session",
    "started_at",
    "ended_at",
    "touchpoints",
)
_JOURNEY: Final = (*_VERSIONED, "journey_id", "started_at", "ended_at", "touchpoints", "channels", "path")
_SCORE: Final = (*_VERSIONED, "metric", "scale", "direction", "formula", "as_of")
_WINDOW: Final = ("window", "n", "sum", "sum_of_squares", "high", "low", "value", "interval_low", "interval_high")
_CUSTOMER: Final = (*_VERSIONED, "cells", "first_seen_at", "last_seen_at", "touchpoints", "channels")
_TOTAL: Final = ("currency", "minor_units", "payments")
_LATEST: Final = ("metric", "scale", "value", "answered_at")


def _flat(names: tuple[str, ...]) -> Callable[[Record, Where], Iterable[Row]]:
    values = itemgetter(*names)

    def rows(record: Record, where: Where) -> Iterable[Row]:
        return ((*values(record), *where),)

    return rows


_score_head: Final = itemgetter(*_SCORE)
_score_window: Final = itemgetter(*_WINDOW)


def _score(record: Record, where: Where) -> Iterable[Row]:
    head = _score_head(record)
    for window in record["windows"]:
        yield (*head, *_score_window(window), *where)


def _customer(record: Record, where: Where) -> Iterable[Row]:
    yield (
        *(record[name] for name in _CUSTOMER),
        *([part[name] for part in record["amounts"]] for name in _TOTAL),
        *([part[name] for part in record["answers"]] for name in _LATEST),
        *where,
    )


_REJECTED: Final = (
    "source_topic",
    "source_partition",
    "source_offset",
    "rejected_at",
    "stage",
    "reason",
    "field",
    "expected",
    "got",
    "schema_id",
    "attempt",
    "key",
    "payload",
    "source",
    "event_type",
    "channel",
)


_rejected_values: Final = itemgetter(*_REJECTED)


def rejected_record(headers: Mapping[str, bytes], key: bytes | None, value: bytes | None, rejected_at: int) -> Record:
    """A rejected record from its headers and bytes; missing or odd headers, from somebody else's tool, become empty values."""
    text = {name: raw.decode("utf-8", "replace") for name, raw in headers.items() if raw is not None}
    return {
        "source_topic": text.get("__connect.errors.topic", ""),
        "source_partition": _number(text.get("__connect.errors.partition"), -1, INT32_MAX),
        "source_offset": _number(text.get("__connect.errors.offset"), -1, INT64_MAX),
        "rejected_at": rejected_at,
        "stage": text.get("__connect.errors.stage", ""),
        "reason": text.get("cx.reason", text.get("__connect.errors.exception.class.name", "")),
        "field": text.get("cx.field", ""),
        "expected": text.get("cx.expected", ""),
        "got": text.get("cx.got", text.get("__connect.errors.exception.message", "")),
        "schema_id": _number(text.get("cx.schema_id"), None, INT64_MAX),
        "attempt": _number(text.get("cx.attempt"), 1, INT32_MAX),
        "key": key or b"",
        "payload": value or b"",
        "source": text.get("cx.source", ""),
        "event_type": text.get("cx.event_type", ""),
        "channel": text.get("cx.channel", ""),
    }


def _rejected(record: Record, where: Where) -> Iterable[Row]:
    """One that came from no topic, or whose tool did not say from which, is told by where it lies itself."""
    if not record["source_topic"]:
        record = {
            **record,
            "source_topic": where.topic,
            "source_partition": where.partition,
            "source_offset": where.offset,
        }
    return ((*_rejected_values(record), *where),)


def _number(text: str | None, otherwise: int | None, most: int) -> int | None:
    number = int(text) if text and _NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) <= most else otherwise


def _prefixed(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name if name.startswith(prefix) else f"{prefix}{name}" for name in names)


TABLES: Final[dict[str, Table]] = {
    "touchpoints.resolved.v1": Table(
        "touchpoints",
        (
            *_TOUCHPOINT_PLAIN,
            "identifiers.namespace",
            "identifiers.value",
            *_prefixed("answer_", _ANSWER),
            *_prefixed("amount_", _AMOUNT),
            *_prefixed("promise_", _PROMISE),
            *WHERE,
        ),
        "resolved_touchpoint",
        _touchpoint,
        (
            *_TOUCHPOINT_PLAIN,
            "identifiers.namespace",
            "identifiers.value",
            *(f"{part}.{name}" for part, names in _TOUCHPOINT_PARTS for name in names),
        ),
    ),
    "sessions.v1": Table("sessions", (*_SESSION, *WHERE), "session", _flat(_SESSION), _SESSION, lingers=FOLLOWING),
    "journeys.v1": Table("journeys", (*_JOURNEY, *WHERE), "journey", _flat(_JOURNEY), _JOURNEY, lingers=FOLLOWING),
    "scores.v1": Table(
        "scores",
        (*_SCORE, *_WINDOW, *WHERE),
        "score",
        _score,
        (*_SCORE, *(f"windows.{name}" for name in _WINDOW)),
        "windows",
        FOLLOWING,
    ),
    "customers.v1": Table(
        "customers",
        (*_CUSTOMER, *(f"amounts.{n}" for n in _TOTAL), *(f"answers.{n}" for n in _LATEST), *WHERE),
        "customer_view",
        _customer,
        (*_CUSTOMER, *(f"amounts.{n}" for n in _TOTAL), *(f"answers.{n}" for n in _LATEST)),
        lingers=FOLLOWING,
    ),
    "rejected.v1": Table("rejected", (*_REJECTED, *WHERE), None, _rejected),
}
