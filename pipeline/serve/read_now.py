"""What the board asks of ClickHouse about this moment. Times are milliseconds since epoch, UTC, unless they say seconds."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from pipeline.serve.clickhouse import Source

BUCKET_S: Final = 5
CHART_S: Final = 900
RATE_S: Final = 60
REJECTED_S: Final = 3600

NEWEST: Final = "SELECT toUnixTimestamp(max(second)), count() FROM arrivals"
NEWEST_STORED: Final = "SELECT toUnixTimestamp(toDateTime(max(arrived_at), 'UTC')), count() FROM touchpoints"
BUCKETS: Final = """
SELECT intDiv(toUnixTimestamp(second), %(bucket)s) * %(bucket)s AS bucket, channel, source, sum(touchpoints),
    toUnixTimestamp(max(second))
FROM arrivals WHERE second >= toDateTime(%(since)s, 'UTC') GROUP BY bucket, channel, source
"""
SOURCES: Final = """
SELECT source, arraySort(groupUniqArray(channel)), toUnixTimestamp(max(second)) AS last FROM arrivals
GROUP BY source ORDER BY last DESC, source LIMIT 200
"""
STORED: Final = "SELECT count() FROM touchpoints FINAL"
STORED_ABOUT: Final = "SELECT count() FROM touchpoints"
EXACT_UP_TO: Final = 20_000_000
"""Rows up to which they are counted exactly; beyond, rows that say the same thing twice count twice until they are merged."""
REJECTED: Final = """
SELECT source_topic, reason, count(), countIf(rejected_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC'))
FROM rejected FINAL GROUP BY source_topic, reason
"""
ARRIVED: Final = """
SELECT channel, sum(touchpoints) FROM arrivals WHERE second >= toDateTime(%(since)s, 'UTC') GROUP BY channel
"""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is arriving. `read_s`: when this was read; `newest_s`: second of the newest arrival, None when nothing ever arrived.

    `buckets`: bucket's start in seconds -> channel -> touchpoints, complete for the last `CHART_S` seconds; `rates`: touchpoints
    per second of each source over the last minute; `last_s`: second of each source's
    newest arrival within the chart.
    """

    read_s: float
    newest_s: int | None
    buckets: dict[int, Counter[str]]
    rates: dict[str, float]
    last_s: dict[str, int]

    def touchpoints(self, bucket: int, channel: str) -> int:
        """Touchpoints of a channel that arrived in a bucket."""
        counts = self.buckets.get(bucket)
        return counts[channel] if counts else 0

    @property
    def channels(self) -> list[str]:
        """Channels that had an arrival, by name."""
        return sorted({channel for counts in self.buckets.values() for channel in counts})


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """One source: its channels, and the second of its newest arrival."""

    name: str
    channels: tuple[str, ...]
    last_s: int


@dataclass(frozen=True, slots=True)
class TopicRejections:
    """Rejections of the last hour among the records of one topic; `share` from 0 to 1."""

    count: int
    share: float
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """What is stored and what was rejected, and the last hour's rejections by topic. `exact`: whether `stored` is."""

    stored: int
    exact: bool
    rejected: int
    by_topic: dict[str, TopicRejections]


async def pulse(source: Source, now_s: float) -> Pulse:
    """What has been arriving in the last quarter of an hour."""
    first = (int(now_s) - CHART_S) // BUCKET_S * BUCKET_S
    rows = await source.rows(BUCKETS, {"bucket": BUCKET_S, "since": first})
    buckets: defaultdict[int, Counter[str]] = defaultdict(Counter)
    lately = Counter[str]()
    last_s: dict[str, int] = {}
    # Of the youngest bucket a part is still to come, so rates are taken over the whole ones before it.
    end = int(now_s) // BUCKET_S * BUCKET_S
    for bucket, channel, name, touchpoints, last in rows:
        buckets[bucket][channel] += touchpoints
        last_s[name] = max(last, last_s.get(name, 0))
        if end - RATE_S <= bucket < end:
            lately[name] += touchpoints
    newest = max(last_s.values(), default=None)
    rates = {name: n / RATE_S for name, n in lately.items()}
    return Pulse(now_s, newest if rows else await _newest(source), dict(buckets), rates, last_s)


async def _newest(source: Source) -> int | None:
    for question in (NEWEST, NEWEST_STORED):
        ((newest, count),) = await source.rows(question)
        if count:
            return int(newest)
    return None


async def sources(source: Source) -> list[SourceSeen]:
    """Every source of the last seven days, the latest first."""
    return [SourceSeen(name, tuple(channels), last) for name, channels, last in await source.rows(SOURCES)]


async def account(source: Source, now_ms: int, topic_of: dict[str, str]) -> Account:
    """What became of the records. `topic_of` says to which topic a channel's touchpoints go."""
    since_ms = now_ms - REJECTED_S * 1000
    ((stored,),) = await source.rows(STORED_ABOUT)
    exact = stored <= EXACT_UP_TO
    if exact:
        ((stored,),) = await source.rows(STORED)
    rejected = await source.rows(REJECTED, {"since": since_ms})
    arrived = Counter[str]()
    for channel, n in await source.rows(ARRIVED, {"since": since_ms // 1000}):
        arrived[topic_of.get(str(channel), str(channel))] += n
    recent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for topic, reason, _, lately in rejected:
        recent[topic][reason] += lately
    by_topic = {topic: _rejections(recent[topic], arrived[topic]) for topic in {*recent, *arrived}}
    return Account(stored, exact, sum(count for _, _, count, _ in rejected), by_topic)


def _rejections(reasons: Counter[str], arrived: int) -> TopicRejections:
    count = reasons.total()
    received = count + arrived
    return TopicRejections(count, count / received if received else 0.0, reasons.most_common(1)[0][0] if count else "")
