-- What each source sends, hour by hour of arrival, for its health. Sets instead of sums: rows that are inserted again, under whatever
-- token, count once, and every statement here may be repeated.
-- `sample` has the 16 touchpoints of a row with the smallest hashes of their ids, which insertion order and repetition do not change:
-- lateness, from occurred_at to arrived_at, and clock, from sent_at to received_at, else to arrived_at; milliseconds.
-- `filled` has a bit for each field that may be empty, in the order of pipeline/health/fields.py; a new one goes behind the last.

CREATE TABLE source_hours
(
    hour       DateTime('UTC'),
    source     LowCardinality(String),
    event_type LowCardinality(String),
    filled     UInt32,
    _topic     LowCardinality(String),
    _partition Int32,
    last_at    SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    minutes    AggregateFunction(groupBitmap, UInt8),
    offsets    AggregateFunction(groupBitmap, UInt64),
    sample     AggregateFunction(groupArraySorted(16), Tuple(UInt64, Int64, Nullable(Int64)))
)
ENGINE = AggregatingMergeTree
ORDER BY (hour, source, event_type, filled, _topic, _partition)
TTL hour + INTERVAL 70 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE rejected_hours
(
    hour       DateTime('UTC'),
    source     LowCardinality(String),
    reason     LowCardinality(String),
    _topic     LowCardinality(String),
    _partition Int32,
    offsets    AggregateFunction(groupBitmap, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (hour, source, reason, _topic, _partition)
TTL hour + INTERVAL 70 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW source_hours_view TO source_hours AS
SELECT
    toStartOfHour(arrived_at) AS hour,
    source,
    event_type,
    toUInt32(
        toUInt32(isNotNull(sent_at))
        + bitShiftLeft(toUInt32(isNotNull(received_at)), 1)
        + bitShiftLeft(toUInt32(isNotNull(source_sequence)), 2)
        + bitShiftLeft(toUInt32(ifNull(account, '') != ''), 3)
        + bitShiftLeft(toUInt32(ifNull(source_session, '') != ''), 4)
        + bitShiftLeft(toUInt32(ifNull(agent, '') != ''), 5)
        + bitShiftLeft(toUInt32(ifNull(site, '') != ''), 6)
        + bitShiftLeft(toUInt32(ifNull(vendor, '') != ''), 7)
        + bitShiftLeft(toUInt32(ifNull(language, '') != ''), 8)
        + bitShiftLeft(toUInt32(ifNull(reason, '') != ''), 9)
        + bitShiftLeft(toUInt32(ifNull(outcome, '') != ''), 10)
        + bitShiftLeft(toUInt32(isNotNull(answer_metric)), 11)
        + bitShiftLeft(toUInt32(isNotNull(amount_minor_units)), 12)
        + bitShiftLeft(toUInt32(isNotNull(duration_ms)), 13)
        + bitShiftLeft(toUInt32(ifNull(text, '') != ''), 14)
        + bitShiftLeft(toUInt32(isNotNull(promise_id)), 15)
        + bitShiftLeft(toUInt32(ifNull(campaign, '') != ''), 16)
        + bitShiftLeft(toUInt32(ifNull(product, '') != ''), 17)
        + bitShiftLeft(toUInt32(notEmpty(attributes)), 18)
    ) AS filled,
    _topic,
    _partition,
    max(arrived_at) AS last_at,
    groupBitmapState(toUInt8(toMinute(arrived_at))) AS minutes,
    groupBitmapState(toUInt64(_offset)) AS offsets,
    groupArraySortedState(16)(tuple(
        cityHash64(event_id),
        toUnixTimestamp64Milli(arrived_at) - toUnixTimestamp64Milli(occurred_at),
        toUnixTimestamp64Milli(ifNull(received_at, arrived_at)) - toUnixTimestamp64Milli(sent_at)
    )) AS sample
FROM touchpoints
GROUP BY hour, source, event_type, filled, _topic, _partition;

CREATE MATERIALIZED VIEW rejected_hours_view TO rejected_hours AS
SELECT
    toStartOfHour(rejected_at) AS hour,
    source,
    reason,
    _topic,
    _partition,
    groupBitmapState(toUInt64(_offset)) AS offsets
FROM rejected
GROUP BY hour, source, reason, _topic, _partition;

INSERT INTO source_hours (hour, source, event_type, filled, _topic, _partition, last_at, minutes, offsets, sample)
SELECT
    toStartOfHour(arrived_at) AS hour,
    source,
    event_type,
    toUInt32(
        toUInt32(isNotNull(sent_at))
        + bitShiftLeft(toUInt32(isNotNull(received_at)), 1)
        + bitShiftLeft(toUInt32(isNotNull(source_sequence)), 2)
        + bitShiftLeft(toUInt32(ifNull(account, '') != ''), 3)
        + bitShiftLeft(toUInt32(ifNull(source_session, '') != ''), 4)
        + bitShiftLeft(toUInt32(ifNull(agent, '') != ''), 5)
        + bitShiftLeft(toUInt32(ifNull(site, '') != ''), 6)
        + bitShiftLeft(toUInt32(ifNull(vendor, '') != ''), 7)
        + bitShiftLeft(toUInt32(ifNull(language, '') != ''), 8)
        + bitShiftLeft(toUInt32(ifNull(reason, '') != ''), 9)
        + bitShiftLeft(toUInt32(ifNull(outcome, '') != ''), 10)
        + bitShiftLeft(toUInt32(isNotNull(answer_metric)), 11)
        + bitShiftLeft(toUInt32(isNotNull(amount_minor_units)), 12)
        + bitShiftLeft(toUInt32(isNotNull(duration_ms)), 13)
        + bitShiftLeft(toUInt32(ifNull(text, '') != ''), 14)
        + bitShiftLeft(toUInt32(isNotNull(promise_id)), 15)
        + bitShiftLeft(toUInt32(ifNull(campaign, '') != ''), 16)
        + bitShiftLeft(toUInt32(ifNull(product, '') != ''), 17)
        + bitShiftLeft(toUInt32(notEmpty(attributes)), 18)
    ) AS filled,
    _topic,
    _partition,
    max(arrived_at) AS last_at,
    groupBitmapState(toUInt8(toMinute(arrived_at))) AS minutes,
    groupBitmapState(toUInt64(_offset)) AS offsets,
    groupArraySortedState(16)(tuple(
        cityHash64(event_id),
        toUnixTimestamp64Milli(arrived_at) - toUnixTimestamp64Milli(occurred_at),
        toUnixTimestamp64Milli(ifNull(received_at, arrived_at)) - toUnixTimestamp64Milli(sent_at)
    )) AS sample
FROM touchpoints
WHERE arrived_at >= now() - INTERVAL 70 DAY
GROUP BY hour, source, event_type, filled, _topic, _partition;

INSERT INTO rejected_hours (hour, source, reason, _topic, _partition, offsets)
SELECT
    toStartOfHour(rejected_at) AS hour,
    source,
    reason,
    _topic,
    _partition,
    groupBitmapState(toUInt64(_offset)) AS offsets
FROM rejected
WHERE rejected_at >= now() - INTERVAL 70 DAY
GROUP BY hour, source, reason, _topic, _partition;
