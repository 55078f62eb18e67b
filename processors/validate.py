"""Does a decoded touchpoint mean something? Pure: the record and its arrival in, the strongest identifier or a reason out."""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from pipeline.events import Reason, Rejection
from schemas.namespaces import listed, namespace, strongest

HOUR_MS: Final = 3_600_000
_EVENT_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
STANDARD_SCALES: Final = {"nps": ((0, 10),), "csat": ((1, 5), (1, 7), (1, 3)), "ces": ((1, 7), (1, 5), (1, 3))}
# Far above what is real, and low enough that no person's sums of amounts and squares leave 64 bits.
MOST_POINTS: Final = 10**6
MOST_MINOR_UNITS: Final = 10**13
ANSWERED: Final = "survey.answered"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Occurred times are accepted from `earliest_ms` on and until `tolerance_ms` after arrival (milliseconds)."""

    earliest_ms: int
    tolerance_ms: int


def validate(
    record: Record, arrived_at: int, limits: TimeLimits, known_types: Container[str] | None = None
) -> tuple[str, str] | Rejection:
    """The (namespace, canonical value) that the touchpoint belongs to, or the first reason to reject it.

    `arrived_at` is milliseconds since epoch, UTC, by the broker's clock. With `known_types` there are no other event types.
    """
    if known_types is not None and record["event_type"] not in known_types:
        return Rejection(Reason.TOUCHPOINT_UNKNOWN, "event_type", "one of schemas/catalogue.toml", "another one")
    for check in (_names, _answer, _sums):
        fault = check(record)
        if fault is not None:
            return fault
    fault = _time(record["occurred_at"], arrived_at, limits) or _sent(record["occurred_at"], record["sent_at"], limits)
    return fault if fault is not None else _identifier(record)


def _names(record: Record) -> Rejection | None:
    if not record["event_id"]:
        return Rejection(Reason.EVENT_ID_MISSING, "event_id", "an id", "an empty text")
    if not record["source"]:
        return Rejection(Reason.SOURCE_MISSING, "source", "a source's name", "an empty text")
    if not _EVENT_TYPE.fullmatch(record["event_type"]):
        return Rejection(
            Reason.EVENT_TYPE_MALFORMED, "event_type", "family.event", f"{len(record['event_type'])} characters"
        )
    return None


def _time(occurred_at: int, arrived_at: int, limits: TimeLimits) -> Rejection | None:
    if occurred_at < limits.earliest_ms:
        return Rejection(Reason.TIME_TOO_EARLY, "occurred_at", f"{limits.earliest_ms} or later", str(occurred_at))
    latest = arrived_at + limits.tolerance_ms
    if occurred_at > latest:
        return Rejection(Reason.TIME_IN_FUTURE, "occurred_at", f"{latest} or earlier", str(occurred_at))
    return None


def _sent(occurred_at: int, sent_at: int | None, limits: TimeLimits) -> Rejection | None:
    """Both are of one clock, so what happened long after it was sent cannot be; how wrong the clock is does not matter here."""
    if sent_at is None or occurred_at <= sent_at + limits.tolerance_ms:
        return None
    return Rejection(Reason.TIMES_CONTRADICT, "sent_at", f"{occurred_at - limits.tolerance_ms} or later", str(sent_at))


def _answer(record: Record) -> Rejection | None:
    answer = record["answer"]
    if answer is None:
        if record["event_type"] == ANSWERED and not record["text"] and not record["attributes"]:
            return Rejection(Reason.ANSWER_MISSING, "answer", "an answer, or its words in text or attributes", "none")
        return None
    scale = (answer["scale_min"], answer["scale_max"])
    known = STANDARD_SCALES.get(answer["metric"])
    if scale[0] >= scale[1] or (known and scale not in known):
        expected = " or ".join(f"{low}-{high}" for low, high in known) if known else "scale_min below scale_max"
        return Rejection(Reason.SCALE_INVALID, "answer.scale_max", expected, f"{scale[0]}-{scale[1]}")
    if min(scale) < -MOST_POINTS or max(scale) > MOST_POINTS:
        expected = f"-{MOST_POINTS} to {MOST_POINTS} at most"
        return Rejection(Reason.SCALE_INVALID, "answer.scale_max", expected, f"{scale[0]}-{scale[1]}")
    if not scale[0] <= answer["value"] <= scale[1]:
        return Rejection(Reason.VALUE_OUT_OF_SCALE, "answer.value", f"{scale[0]}-{scale[1]}", str(answer["value"]))
    return None


def _sums(record: Record) -> Rejection | None:
    amount, duration = record["amount"], record["duration_ms"]
    if amount is not None and not _CURRENCY.fullmatch(amount["currency"]):
        return Rejection(
            Reason.AMOUNT_MALFORMED, "amount.currency", "an ISO 4217 code", f"{len(amount['currency'])} characters"
        )
    if amount is not None and abs(amount["minor_units"]) > MOST_MINOR_UNITS:
        expected = f"-{MOST_MINOR_UNITS} to {MOST_MINOR_UNITS}"
        return Rejection(Reason.AMOUNT_MALFORMED, "amount.minor_units", expected, str(amount["minor_units"]))
    if duration is not None and duration < 0:
        return Rejection(Reason.DURATION_NEGATIVE, "duration_ms", "0 or more", str(duration))
    return None


def _identifier(record: Record) -> tuple[str, str] | Rejection:
    pairs = [(i["namespace"], i["value"]) for i in record["identifiers"]]
    if not pairs:
        return Rejection(Reason.IDENTIFIER_MISSING, "identifiers", "at least one identifier", "none")
    found = strongest(pairs)
    if found is not None:
        return found
    index = next(n for n, pair in enumerate(pairs) if strongest([pair]) is None)
    kind = namespace(pairs[index][0])
    # A namespace that is not listed is a word of the sender's.
    name = "value" if kind is None or kind.name not in listed() else kind.name
    expected = f"a {name} that matches {kind.pattern.pattern}" if kind else "a namespace of lower-case letters"
    return Rejection(
        Reason.IDENTIFIER_MALFORMED, f"identifiers[{index}]", expected, f"{len(pairs[index][1])} characters"
    )
