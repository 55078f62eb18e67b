"""What a sender is told of each event, and of a request. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from pipeline.events import Rejection

Status = Literal["accepted", "duplicate", "rejected"]


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event. `reason` is a code of docs/rejections.md; `expected` and `got` say what was wrong at `field`."""

    status: Status
    event_id: str | None = None
    reason: str | None = None
    field: str | None = None
    expected: str | None = None
    got: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What became of a request's events, in their order; everything that is told here is stored."""

    accepted: int
    duplicate: int
    rejected: int
    events: list[Verdict]


class Fault(msgspec.Struct, frozen=True):
    """Why a request as a whole was not taken."""

    code: str
    message: str


class FaultAnswer(msgspec.Struct, frozen=True):
    """An answer without verdicts."""

    error: Fault


def rejected(why: Rejection, event_id: str | None) -> Verdict:
    """The verdict on what is no touchpoint."""
    return Verdict("rejected", event_id, why.reason.value, why.field or None, why.expected, why.got)


def answer(verdicts: Sequence[Verdict]) -> Answer:
    """All verdicts with their counts."""
    counts = Counter(one.status for one in verdicts)
    return Answer(counts["accepted"], counts["duplicate"], counts["rejected"], list(verdicts))
