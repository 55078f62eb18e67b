-- Arrivals as sets of offsets instead of sums: rows that are inserted again, under whatever token, count once.
-- Every statement here may be repeated, because a set that is filled twice stays the same.

CREATE TABLE arrival_offsets
(
    second     DateTime('UTC'),
    channel    LowCardinality(String),
    source     LowCardinality(String),
    _topic     LowCardinality(String),
    _partition Int32,
    offsets    AggregateFunction(groupBitmap, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (second, channel, source, _topic, _partition)
TTL second + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW arrival_offsets_view TO arrival_offsets AS
SELECT
    toStartOfSecond(arrived_at) AS second,
    channel,
    source,
    _topic,
    _partition,
    groupBitmapState(toUInt64(_offset)) AS offsets
FROM touchpoints
GROUP BY second, channel, source, _topic, _partition;

INSERT INTO arrival_offsets
SELECT toStartOfSecond(arrived_at) AS second, channel, source, _topic, _partition, groupBitmapState(toUInt64(_offset)) AS offsets
FROM touchpoints
WHERE arrived_at >= now() - INTERVAL 7 DAY
GROUP BY second, channel, source, _topic, _partition;

DROP VIEW IF EXISTS arrivals_view;

DROP TABLE IF EXISTS arrivals;

CREATE OR REPLACE VIEW arrivals AS
SELECT second, channel, source, toInt64(sum(counted)) AS touchpoints
FROM
(
    SELECT second, channel, source, groupBitmapMerge(offsets) AS counted
    FROM arrival_offsets
    GROUP BY second, channel, source, _topic, _partition
)
GROUP BY second, channel, source;
