"""What the API answers and takes about rejected records. Times are ISO 8601 in UTC with milliseconds."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.serve.models import Answered

PLACE = "cx.touchpoints.web.v1-3@1204"
MOST_PLACES = 1000


class RejectedOut(Answered):
    """A rejected record without its bytes; nothing in it is personal."""

    place: Annotated[str, Field(description="topic-partition@offset: where it lies, or lay", examples=[PLACE])]
    rejected_at: Annotated[str, Field(examples=["2026-03-02T09:30:12.000Z"])]
    stage: Annotated[str, Field(description="intake, resolve, journey or sink", examples=["resolve"])]
    source: Annotated[str, Field(description="Empty where it could not be read", examples=["web-shop"])]
    event_type: Annotated[str, Field(examples=["survey.answered"])]
    channel: Annotated[str, Field(examples=["web"])]
    reason: Annotated[str, Field(examples=["scale_invalid"])]
    field: Annotated[str, Field(examples=["answer.scale_max"])]
    expected: Annotated[str, Field(examples=["0-10"])]
    got: Annotated[str, Field(examples=["1-5"])]
    schema_id: Annotated[int | None, Field(examples=[1])]
    attempt: Annotated[int, Field(description="How often it has been sent", examples=[1])]
    sent_again: Annotated[str | None, Field(description="When", examples=["2026-03-02T10:00:00.000Z"])]
    sent_to: Annotated[str | None, Field(description="Where it lies now", examples=["cx.touchpoints.web.v1-3@1311"])]


class RejectedListOut(Answered):
    """Rejected records, newest first."""

    count: Annotated[int, Field(description="All that the filter keeps, also beyond the limit", examples=[1204])]
    ledger_known: Annotated[
        bool, Field(description="False while Kafka does not answer: `sent_again` is not known then")
    ]
    rejected: list[RejectedOut]


class RejectedWholeOut(RejectedOut):
    """A rejected record with what its bytes hold, which may be personal: one of `record`, `text` and `begins_with`."""

    meaning: Annotated[
        str, Field(description="What the reason means", examples=["The scale is not one of the metric's."])
    ]
    remedy: Annotated[str, Field(description="What to do", examples=["NPS is 0-10; CSAT and CES are 1-3, 1-5 or 1-7."])]
    size: Annotated[int, Field(description="Of the record, in bytes", examples=[211])]
    record: Annotated[
        dict[str, Any] | None, Field(description="Its fields, where they can be read", examples=[{"channel": "web"}])
    ]
    text: Annotated[
        str | None, Field(description="Itself where it is text and no JSON object", examples=['{"event_id": '])
    ]
    begins_with: Annotated[str | None, Field(description="Its first bytes, in hexadecimal", examples=["0000000001"])]


class RejectedAtOut(Answered):
    """All that stages have rejected at a place: mostly one."""

    ledger_known: Annotated[
        bool, Field(description="False while Kafka does not answer: `sent_again` is not known then")
    ]
    rejected: list[RejectedWholeOut]


class Asked(BaseModel):
    """Base of what is asked for; a field that is none is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FilterIn(Asked):
    """Which rejected records; empty fields keep all, and one must not be empty."""

    reason: Annotated[str, Field(max_length=64, examples=["scale_invalid"])] = ""
    topic: Annotated[str, Field(max_length=249, examples=["touchpoints.web.v1"])] = ""
    stage: Annotated[str, Field(max_length=64, examples=["resolve"])] = ""
    source: Annotated[str, Field(max_length=64, examples=["web-shop"])] = ""
    since: Annotated[str, Field(max_length=40, description="12h, 7d, or an ISO 8601 time", examples=["12h"])] = ""


class ListIn(FilterIn):
    """The same for a list of so many, newest first."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Records listed")] = 50


class RedriveIn(Asked):
    """Which records are sent again, by places or by a filter, and what is changed of each on its way."""

    places: Annotated[list[str] | None, Field(min_length=1, max_length=MOST_PLACES, examples=[[PLACE]])] = None
    filter: FilterIn | None = None
    patch: Annotated[
        dict[str, Any] | None,
        Field(description="JSON Merge Patch (RFC 7396)", examples=[{"answer": {"scale_min": 0, "scale_max": 10}}]),
    ] = None
    dry_run: Annotated[bool, Field(description="Send nothing, say what would come of it")] = False


class OutcomeOut(Answered):
    """What became of one record."""

    place: Annotated[str, Field(examples=[PLACE])]
    status: Annotated[str, Field(description="sent, sendable, sent_before or unsendable", examples=["sent"])]
    at: Annotated[str | None, Field(description="When it was sent", examples=["2026-03-02T10:00:00.000Z"])]
    to: Annotated[str | None, Field(description="Where it lies now", examples=["cx.touchpoints.web.v1-3@1311"])]
    why: Annotated[str, Field(description="Why it cannot be sent", examples=[""])]


class RedriveOut(Answered):
    """What became of each record."""

    dry_run: bool
    counts: Annotated[dict[str, int], Field(description="By status", examples=[{"sent": 1}])]
    records: list[OutcomeOut]
