"""What goes wrong on the way in: records twice, late or broken. Every kind of brokenness is named by its rejection."""

import math
from collections.abc import Callable
from random import Random
from typing import Final

from msgspec.structs import replace

from pipeline.codec import head
from pipeline.events import Amount, Answer, Identifier, Reason, Touchpoint
from pipeline.produce import Raw
from pipeline.topics import source_topic

LATEST_MS: Final = 72 * 3_600_000
_EARLIEST_MS: Final = 60_000
_YEAR_3000_MS: Final = 32_503_680_000_000
_NO_SCHEMA: Final = 2**31 - 1
# A phone without a network hands in later what was done meanwhile; the answer to a question or a promise is never late.
_CAN_BE_LATE: Final = (
    "app",
    "device",
    "web",
    "catalogue",
    "product",
    "search",
    "store",
    "content",
    "kb",
    "promotion",
    "review",
)
Breaker = Callable[[Touchpoint, int], Touchpoint | Raw]


def _raw(touchpoint: Touchpoint, value: bytes) -> Raw:
    return Raw(source_topic(touchpoint.channel), None, value)


def _nps(low: int, high: int, value: int) -> Answer:
    return Answer("support-nps", "nps", low, high, value)


BREAKERS: Final[dict[Reason, Breaker]] = {
    Reason.DECODE: lambda good, schema_id: _raw(good, head(schema_id) + b"\xff" * 12),
    Reason.SCHEMA_UNKNOWN: lambda good, _: _raw(good, head(_NO_SCHEMA) + b"\x02a"),
    Reason.MAGIC: lambda good, _: _raw(good, b'{"event_type": "call.ended"}'),
    Reason.EMPTY: lambda good, _: _raw(good, b""),
    Reason.IDENTIFIER_MISSING: lambda good, _: replace(good, identifiers=[]),
    Reason.IDENTIFIER_MALFORMED: lambda good, _: replace(good, identifiers=[Identifier("email", "no address")]),
    Reason.TIME_TOO_EARLY: lambda good, _: replace(good, occurred_at=1_000),
    Reason.TIME_IN_FUTURE: lambda good, _: replace(good, occurred_at=_YEAR_3000_MS),
    Reason.VALUE_OUT_OF_SCALE: lambda good, _: replace(good, event_type="survey.answered", answer=_nps(0, 10, 11)),
    Reason.SCALE_INVALID: lambda good, _: replace(good, event_type="survey.answered", answer=_nps(10, 0, 5)),
    Reason.EVENT_ID_MISSING: lambda good, _: replace(good, event_id=""),
    Reason.EVENT_TYPE_MALFORMED: lambda good, _: replace(good, event_type="Call ended!"),
    Reason.SOURCE_MISSING: lambda good, _: replace(good, source=""),
    Reason.AMOUNT_MALFORMED: lambda good, _: replace(good, amount=Amount("dollars", 100)),
    Reason.TIMES_CONTRADICT: lambda good, _: replace(good, sent_at=1_000),
    Reason.ANSWER_MISSING: lambda good, _: replace(
        good, event_type="survey.answered", answer=None, text=None, attributes={}
    ),
    Reason.DURATION_NEGATIVE: lambda good, _: replace(good, duration_ms=-1_000),
}


def can_be_late(touchpoint: Touchpoint) -> bool:
    """Whether this kind of touchpoint may reach us long after it happened."""
    return touchpoint.event_type.partition(".")[0] in _CAN_BE_LATE


def late(touchpoint: Touchpoint, at: int, rng: Random) -> Touchpoint:
    """The same touchpoint as one that happened a minute to 72 hours before it was sent at `at`."""
    ago = math.exp(rng.uniform(math.log(_EARLIEST_MS), math.log(LATEST_MS)))
    return replace(touchpoint, occurred_at=at - int(ago), sent_at=at)
