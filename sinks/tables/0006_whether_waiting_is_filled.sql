-- Whether sources fill waited_ms, from now on; for what came before it counts as empty.

ALTER TABLE source_hours_view MODIFY QUERY
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
        + bitShiftLeft(toUInt32(isNotNull(waited_ms)), 19)
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
