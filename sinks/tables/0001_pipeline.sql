-- One row per thing. Rows that say the same thing again replace each other, so `FINAL` counts what a person expects.

CREATE TABLE touchpoints
(
    event_id           String,
    event_type         LowCardinality(String),
    channel            LowCardinality(String),
    occurred_at        DateTime64(3, 'UTC'),
    sent_at            Nullable(DateTime64(3, 'UTC')),
    received_at        Nullable(DateTime64(3, 'UTC')),
    arrived_at         DateTime64(3, 'UTC'),
    source             LowCardinality(String),
    source_sequence    Nullable(Int64),
    person             String,
    cell               String,
    identity_version   Int64,
    identifiers        Nested(namespace LowCardinality(String), value String),
    actor_type         LowCardinality(String),
    account            Nullable(String),
    source_session     Nullable(String),
    agent              LowCardinality(Nullable(String)),
    site               LowCardinality(Nullable(String)),
    vendor             LowCardinality(Nullable(String)),
    language           LowCardinality(Nullable(String)),
    reason             LowCardinality(Nullable(String)),
    outcome            LowCardinality(Nullable(String)),
    answer_question    LowCardinality(Nullable(String)),
    answer_metric      LowCardinality(Nullable(String)),
    answer_scale_min   Nullable(Int32),
    answer_scale_max   Nullable(Int32),
    answer_direction   LowCardinality(Nullable(String)),
    answer_value       Nullable(Int32),
    answer_aspect      LowCardinality(Nullable(String)),
    amount_currency    LowCardinality(Nullable(String)),
    amount_minor_units Nullable(Int64),
    duration_ms        Nullable(Int64),
    text               Nullable(String),
    promise_id         Nullable(String),
    promise_kind       LowCardinality(Nullable(String)),
    promise_due_at     Nullable(DateTime64(3, 'UTC')),
    campaign           LowCardinality(Nullable(String)),
    product            LowCardinality(Nullable(String)),
    attributes         Map(LowCardinality(String), String),
    source_topic       LowCardinality(String),
    source_partition   Int32,
    source_offset      Int64,
    _topic             LowCardinality(String),
    _partition         Int32,
    _offset            Int64
)
ENGINE = ReplacingMergeTree(_offset)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (cell, occurred_at, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE sessions
(
    person         String,
    session_id     String,
    version        Int64,
    cause          LowCardinality(String),
    retracted      UInt8,
    channel        LowCardinality(String),
    delimited_by   LowCardinality(String),
    source_session Nullable(String),
    started_at     DateTime64(3, 'UTC'),
    ended_at       DateTime64(3, 'UTC'),
    touchpoints    Int64,
    _topic         LowCardinality(String),
    _partition     Int32,
    _offset        Int64
)
ENGINE = ReplacingMergeTree(version, retracted)
ORDER BY (person, session_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE journeys
(
    person      String,
    journey_id  String,
    version     Int64,
    cause       LowCardinality(String),
    retracted   UInt8,
    started_at  DateTime64(3, 'UTC'),
    ended_at    DateTime64(3, 'UTC'),
    touchpoints Int64,
    channels    Map(LowCardinality(String), Int64),
    path        Array(LowCardinality(String)),
    _topic      LowCardinality(String),
    _partition  Int32,
    _offset     Int64
)
ENGINE = ReplacingMergeTree(version, retracted)
ORDER BY (person, journey_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE scores
(
    person         String,
    metric         LowCardinality(String),
    scale          LowCardinality(String),
    direction      LowCardinality(String),
    window         LowCardinality(String),
    version        Int64,
    cause          LowCardinality(String),
    retracted      UInt8,
    formula        LowCardinality(String),
    as_of          DateTime64(3, 'UTC'),
    n              Int64,
    sum            Int64,
    sum_of_squares Int64,
    high           Int64,
    low            Int64,
    value          Nullable(Float64),
    interval_low   Nullable(Float64),
    interval_high  Nullable(Float64),
    _topic         LowCardinality(String),
    _partition     Int32,
    _offset        Int64
)
ENGINE = ReplacingMergeTree(version, retracted)
ORDER BY (person, metric, scale, direction, window)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE customers
(
    person        String,
    version       Int64,
    cause         LowCardinality(String),
    retracted     UInt8,
    cells         Array(String),
    first_seen_at DateTime64(3, 'UTC'),
    last_seen_at  DateTime64(3, 'UTC'),
    touchpoints   Int64,
    channels      Map(LowCardinality(String), Int64),
    amounts       Nested(currency LowCardinality(String), minor_units Int64, payments Int64),
    answers       Nested(metric LowCardinality(String), scale LowCardinality(String), value Int32, answered_at Int64),
    _topic        LowCardinality(String),
    _partition    Int32,
    _offset       Int64
)
ENGINE = ReplacingMergeTree(version, retracted)
ORDER BY person
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE rejected
(
    source_topic     LowCardinality(String),
    source_partition Int32,
    source_offset    Int64,
    rejected_at      DateTime64(3, 'UTC'),
    stage            LowCardinality(String),
    reason           LowCardinality(String),
    field            LowCardinality(String),
    expected         String,
    got              String,
    schema_id        Nullable(Int64),
    attempt          Int32,
    key              String,
    payload          String,
    _topic           LowCardinality(String),
    _partition       Int32,
    _offset          Int64
)
ENGINE = ReplacingMergeTree(_offset)
ORDER BY (source_topic, source_partition, source_offset, stage)
SETTINGS non_replicated_deduplication_window = 10000;

-- Answers in time order, so that a rolling score reads its window and nothing else.
CREATE TABLE answers
(
    event_id    String,
    metric      LowCardinality(String),
    scale_min   Int32,
    scale_max   Int32,
    direction   LowCardinality(String),
    value       Int32,
    aspect      LowCardinality(String),
    channel     LowCardinality(String),
    actor_type  LowCardinality(String),
    person      String,
    occurred_at DateTime64(3, 'UTC'),
    _offset     Int64
)
ENGINE = ReplacingMergeTree(_offset)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (metric, occurred_at, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW answers_view TO answers AS
SELECT
    event_id,
    assumeNotNull(answer_metric) AS metric,
    assumeNotNull(answer_scale_min) AS scale_min,
    assumeNotNull(answer_scale_max) AS scale_max,
    assumeNotNull(answer_direction) AS direction,
    assumeNotNull(answer_value) AS value,
    ifNull(answer_aspect, '') AS aspect,
    channel,
    actor_type,
    person,
    occurred_at,
    _offset
FROM touchpoints
WHERE answer_metric IS NOT NULL;

-- Arrivals by second, for the live board. A repeated insert does not count twice: the view shares the insert's token.
CREATE TABLE arrivals
(
    second      DateTime('UTC'),
    channel     LowCardinality(String),
    source      LowCardinality(String),
    touchpoints Int64
)
ENGINE = SummingMergeTree(touchpoints)
ORDER BY (second, channel, source)
TTL second + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW arrivals_view TO arrivals AS
SELECT toStartOfSecond(arrived_at) AS second, channel, source, toInt64(count()) AS touchpoints
FROM touchpoints
GROUP BY second, channel, source;
