"""The nouns. Every other module takes its nouns from here. All times are milliseconds since epoch, UTC."""

from enum import StrEnum

import msgspec


class Identifier(msgspec.Struct, frozen=True):
    """One name by which a source knows a person, for example namespace `email`."""

    namespace: str
    value: str


class Answer(msgspec.Struct, frozen=True):
    """One answer to one survey question, in whole points of its own scale."""

    question: str
    metric: str
    scale_min: int
    scale_max: int
    value: int
    direction: str = "high_is_good"
    aspect: str | None = None


class Amount(msgspec.Struct, frozen=True):
    """Money, exact, in the currency's smallest unit."""

    currency: str
    minor_units: int


class Promise(msgspec.Struct, frozen=True):
    """Something promised to the customer, until `due_at` if that was said."""

    promise_id: str
    kind: str
    due_at: int | None = None


class Touchpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One contact, as its source reported it. Field by field documented in schemas/touchpoint."""

    event_id: str
    event_type: str
    channel: str
    occurred_at: int
    source: str
    identifiers: list[Identifier]
    sent_at: int | None = None
    received_at: int | None = None
    source_sequence: int | None = None
    actor_type: str = "customer"
    account: str | None = None
    source_session: str | None = None
    agent: str | None = None
    site: str | None = None
    vendor: str | None = None
    language: str | None = None
    reason: str | None = None
    outcome: str | None = None
    answer: Answer | None = None
    amount: Amount | None = None
    duration_ms: int | None = None
    text: str | None = None
    promise: Promise | None = None
    campaign: str | None = None
    product: str | None = None
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    waited_ms: int | None = None


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a record lies on Kafka, and when the broker took it (`arrived_at`)."""

    topic: str
    partition: int
    offset: int
    arrived_at: int


class Raw(msgspec.Struct, frozen=True, gc=False):
    """A record as it lies on Kafka; `attempt` is how often it has been sent, as a redrive says in its header."""

    origin: Origin
    key: bytes | None
    value: bytes | None
    attempt: int = 1


class Out(msgspec.Struct, frozen=True, gc=False):
    """A record for Kafka; `topic` without prefix. The partition follows from the key as the Java client would have it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Reason(StrEnum):
    """Why a record was rejected. A closed list; `pipeline.rejections` says what each code means."""

    EMPTY = "empty"
    MAGIC = "magic"
    SCHEMA_UNKNOWN = "schema_unknown"
    SCHEMA_UNSUITABLE = "schema_unsuitable"
    DECODE = "decode"
    TRAILING_BYTES = "trailing_bytes"
    JSON = "json"
    TEXT_MALFORMED = "text_malformed"
    KEY_TWICE = "key_twice"
    FIELD_MISSING = "field_missing"
    FIELD_UNKNOWN = "field_unknown"
    FIELD_MALFORMED = "field_malformed"
    TOO_LARGE = "too_large"
    MISFIT = "misfit"
    SOURCE_FOREIGN = "source_foreign"
    EVENT_ID_MISSING = "event_id_missing"
    EVENT_TYPE_MALFORMED = "event_type_malformed"
    SOURCE_MISSING = "source_missing"
    IDENTIFIER_MISSING = "identifier_missing"
    IDENTIFIER_MALFORMED = "identifier_malformed"
    TIME_TOO_EARLY = "time_too_early"
    TIME_IN_FUTURE = "time_in_future"
    TIMES_CONTRADICT = "times_contradict"
    TOUCHPOINT_UNKNOWN = "touchpoint_unknown"
    ANSWER_MISSING = "answer_missing"
    SCALE_INVALID = "scale_invalid"
    VALUE_OUT_OF_SCALE = "value_out_of_scale"
    AMOUNT_MALFORMED = "amount_malformed"
    DURATION_NEGATIVE = "duration_negative"
    PROCESSING_FAILED = "processing_failed"
    ROW_REFUSED = "row_refused"


class Rejection(msgspec.Struct, frozen=True):
    """Why one record was rejected. `expected` and `got` never hold personal data: only shapes, numbers and codes."""

    reason: Reason
    field: str
    expected: str
    got: str


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """What the resolve stage adds to a touchpoint: whose it is, where its original record lies, and the time that its source told
    where that was corrected."""

    person: str
    cell: str
    identity_version: int
    origin: Origin
    reported_at: int | None = None
