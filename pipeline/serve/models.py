"""What the API answers. Times are ISO 8601 in UTC with milliseconds; money is in the currency's smallest unit."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Answered(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class FreshnessOut(Answered):
    """How old the data is."""

    state: Annotated[
        str, Field(description="starting, empty, live, quiet, waiting, behind or stale", examples=["live"])
    ]
    age_s: Annotated[
        float | None, Field(description="Seconds since the newest stored touchpoint arrived", examples=[0.8])
    ]
    newest_arrival: Annotated[str | None, Field(examples=["2026-03-02T09:30:12.000Z"])]
    clickhouse_silent_s: Annotated[float, Field(description="Seconds since ClickHouse last answered", examples=[0.4])]
    waiting: Annotated[int | None, Field(description="Records that wait before a stage; null: unknown", examples=[0])]


class IntervalOut(Answered):
    """95% interval in the unit of the score."""

    low: float
    high: float
    method: Annotated[str, Field(examples=["adjusted Wald"])]


class PreviousOut(Answered):
    """The same score over the period before."""

    start: str
    end: str
    n: int
    value: float | None


class ChangeOut(Answered):
    """Value now less value before; `outside`: the interval of the change excludes zero and both have enough answers."""

    value: float
    low: float | None
    high: float | None
    outside: bool


class ScoreOut(Answered):
    """One score over all persons."""

    metric: Annotated[str, Field(examples=["nps"])]
    scale: Annotated[str, Field(examples=["0-10"])]
    direction: Annotated[str, Field(examples=["high_is_good"])]
    formula: Annotated[str, Field(examples=["nps/1"])]
    n: Annotated[int, Field(description="Answers in the period", examples=[1204])]
    value: Annotated[float | None, Field(description="NPS: -100 to 100; CSAT: percent; else mean", examples=[31.2])]
    interval: IntervalOut | None
    enough: Annotated[bool, Field(description="At least 30 answers; do not act on fewer")]
    counts: Annotated[dict[str, int], Field(examples=[{"promoters": 612, "passives": 356, "detractors": 236}])]
    distribution: Annotated[dict[str, int], Field(description="Answers by value", examples=[{"9": 300, "10": 312}])]
    previous: PreviousOut | None
    change: ChangeOut | None


class ScoresOut(Answered):
    """Scores over all persons, one period. `scores` has NPS, CSAT and CES always; other scales stand in `others`."""

    window: Annotated[str, Field(examples=["30d"])]
    start: str
    end: str
    as_of: str
    newest_answer: str | None
    scores: list[ScoreOut]
    others: list[ScoreOut]
    freshness: FreshnessOut


class AmountOut(Answered):
    """Money in one currency."""

    currency: Annotated[str, Field(examples=["EUR"])]
    minor_units: Annotated[int, Field(examples=[12_990])]
    payments: Annotated[int, Field(examples=[2])]


class LatestAnswerOut(Answered):
    """The newest answer on one metric and scale."""

    metric: str
    scale: str
    value: int
    answered_at: str


class PersonScoreOut(Answered):
    """One person's score over one window that ends with the newest answer."""

    metric: str
    scale: str
    direction: str
    window: str
    formula: str
    as_of: str
    n: int
    value: float | None
    interval_low: float | None
    interval_high: float | None


class SessionOut(Answered):
    """A visit or contact in one channel."""

    session_id: str
    channel: str
    delimited_by: str
    started_at: str
    ended_at: str
    touchpoints: int


class JourneyOut(Answered):
    """A way through all channels without a longer pause than the journey gap."""

    journey_id: str
    started_at: str
    ended_at: str
    touchpoints: int
    channels: dict[str, int]
    path: list[str]


class AnswerOut(Answered):
    """An answered survey question."""

    question: str
    metric: str
    scale: str
    direction: str
    value: int
    aspect: str | None


class MoneyOut(Answered):
    """A sum of money."""

    currency: str
    minor_units: int


class IdentifierOut(Answered):
    """A name by which a source knows the person."""

    namespace: str
    value: str


class PersonalOut(Answered):
    """What says who the person is; only with `personal=true`."""

    identifiers: list[IdentifierOut]
    account: str | None
    agent: str | None
    text: str | None


class TouchpointOut(Answered):
    """One touchpoint. `session_id` and `journey_id` are given where they are among the listed ones."""

    event_id: str
    event_type: Annotated[str, Field(examples=["call.ended"])]
    channel: Annotated[str, Field(examples=["call"])]
    occurred_at: str
    arrived_at: str
    source: str
    cell: str
    actor_type: str
    session_id: str | None
    journey_id: str | None
    reason: str | None
    outcome: str | None
    answer: AnswerOut | None
    amount: MoneyOut | None
    duration_ms: int | None
    promise: str | None
    site: str | None
    vendor: str | None
    language: str | None
    campaign: str | None
    product: str | None
    personal: PersonalOut | None


class CustomerOut(Answered):
    """Everything known of one person. Values of identifiers are left out unless they are asked for."""

    person: Annotated[str, Field(examples=["p_0f6a3b2c9d8e7f605142"])]
    version: int
    cells: Annotated[list[str], Field(description="Namespace and hash", examples=[["email:4be0643f1d98573b97cd"]])]
    identifiers: Annotated[list[IdentifierOut] | None, Field(description="Only with personal=true")]
    first_seen_at: str
    last_seen_at: str
    touchpoints: int
    channels: Annotated[dict[str, int], Field(examples=[{"web": 12, "call": 2}])]
    amounts: list[AmountOut]
    latest_answers: list[LatestAnswerOut]
    scores: list[PersonScoreOut]
    sessions: list[SessionOut]
    journeys: list[JourneyOut]
    timeline: Annotated[list[TouchpointOut], Field(description="Newest first")]
    next_before: Annotated[str | None, Field(description="Give this as `before` to read on; null: no more in reach")]
    as_of: str
    freshness: FreshnessOut


class Fault(Answered):
    """What is wrong and what to do."""

    code: Annotated[str, Field(examples=["not_found"])]
    message: Annotated[str, Field(examples=["no such customer"])]
    persons: list[str] | None = None


class ErrorOut(Answered):
    """The body of every error."""

    error: Fault
