"""What the API answers about sources. Times are ISO 8601 in UTC with milliseconds, shares go from 0 to 1."""

from typing import Annotated

from pydantic import Field

from pipeline.serve.models import Answered


class AlertOut(Answered):
    """An open alert."""

    alert_id: Annotated[str, Field(examples=["source.silent/2026-03-02T09Z/pbx-north"])]
    rule: Annotated[str, Field(examples=["source.silent"])]
    severity: Annotated[str, Field(examples=["critical"])]
    state: Annotated[str, Field(description="open, or taken by somebody", examples=["open"])]
    raised_at: Annotated[str, Field(examples=["2026-03-02T09:41:00.000Z"])]
    summary: Annotated[
        str, Field(examples=["pbx-north has been silent for 25 min, in which about 40 touchpoints are usual"])
    ]


class SourceOut(Answered):
    """How a source fares."""

    name: Annotated[str, Field(examples=["pbx-north"])]
    state: Annotated[
        str,
        Field(
            description="fine, new (too little is known), silent, slow, flooding, rejecting or drifting",
            examples=["fine"],
        ),
    ]
    findings: Annotated[list[str], Field(description="What the rules say now, a line each", examples=[[]])]
    last_event: Annotated[
        str | None, Field(description="When its newest touchpoint arrived", examples=["2026-03-02T09:30:12.000Z"])
    ]
    silent_at: Annotated[
        str | None,
        Field(
            description="When it will be called silent if nothing comes; null: not known",
            examples=["2026-03-02T09:58:40.000Z"],
        ),
    ]
    rate: Annotated[int, Field(description="Touchpoints of the last 60 minutes", examples=[96])]
    usual_rate: Annotated[
        float | None,
        Field(description="What is usual for these 60 minutes of the week; null: not known yet", examples=[101.5]),
    ]
    usual_by: Annotated[
        str | None,
        Field(description="The finest time that is alike from week to week: hour, day or week", examples=["hour"]),
    ]
    received: Annotated[
        int, Field(description="Records of this hour and the one before, also rejected ones", examples=[180])
    ]
    rejected: Annotated[int, Field(description="Those of them that were rejected", examples=[2])]
    rejected_share: Annotated[float | None, Field(examples=[0.0111])]
    data_kinds: Annotated[
        list[str],
        Field(
            description="Of descriptive, behavioural, attitudinal, interaction: what it brought in four weeks; "
            "unlisted: types that the catalogue does not know",
            examples=[["behavioural", "interaction"]],
        ),
    ]
    alerts: Annotated[list[AlertOut] | None, Field(description="Open ones; null: Kafka does not tell")]


class SourcesOut(Answered):
    """All sources that were heard of within eight weeks, the latest first."""

    as_of: str
    sources: list[SourceOut]
    alerts: Annotated[
        list[AlertOut] | None, Field(description="All open alerts about sources; null: Kafka does not tell")
    ]


class FieldOut(Answered):
    """How often a field that may be empty is filled: among the latest touchpoints, and in the four weeks before."""

    name: Annotated[str, Field(examples=["duration_ms"])]
    share: Annotated[float | None, Field(examples=[0.62])]
    share_before: Annotated[float | None, Field(examples=[0.65])]
    drifting: Annotated[
        bool, Field(description="The change is too great for chance, and the mix of event types considered")
    ]


class KindOut(Answered):
    """One of the four kinds of data."""

    name: Annotated[str, Field(examples=["interaction"])]
    touchpoints: Annotated[int, Field(description="In four weeks", examples=[12_040])]
    event_types: Annotated[list[str], Field(examples=[["call.answered", "call.ended"]])]


class HourOut(Answered):
    """One hour by arrival."""

    hour: Annotated[str, Field(description="Its beginning", examples=["2026-03-02T09:00:00.000Z"])]
    touchpoints: Annotated[int, Field(examples=[96])]
    usual: Annotated[float | None, Field(examples=[101.5])]
    rejected: Annotated[int, Field(examples=[2])]


class DelayOut(Answered):
    """Percentiles of a delay in milliseconds, from a sample of the last day; null without one."""

    sampled: Annotated[int, Field(examples=[512])]
    p5: int | None
    p50: int | None
    p95: int | None
    p99: int | None


class SourceDetailsOut(SourceOut):
    """Everything known of a source."""

    fields: list[FieldOut]
    fields_of: Annotated[int, Field(description="The latest touchpoints that `share` is of", examples=[412])]
    kinds: list[KindOut]
    hours: Annotated[list[HourOut], Field(description="The last 48, oldest first; of the last one only a part is over")]
    lateness: Annotated[DelayOut, Field(description="From occurred_at to arrived_at")]
    clock: Annotated[
        DelayOut,
        Field(
            description="From sent_at to received_at, else to arrived_at; below zero the source's clock is ahead. No p99"
        ),
    ]
    rejected_reasons: Annotated[dict[str, int], Field(examples=[{"field_missing": 2}])]


class SourceAnswerOut(Answered):
    """One source."""

    as_of: str
    source: SourceDetailsOut
