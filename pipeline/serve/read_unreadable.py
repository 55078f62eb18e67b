"""How many records of each source topic were rejected lately without anybody knowing who sent them."""

from typing import Final

from pipeline.health.usual import HOUR_MS
from pipeline.serve.clickhouse import Source
from processors.resolve import STAGE

UNREADABLE: Final = """
SELECT source_topic, uniqExact(source_partition, source_offset) FROM rejected
WHERE stage = %(stage)s AND source = '' AND rejected_at >= toDateTime64(%(since)s, 3, 'UTC') GROUP BY source_topic
"""


async def read_unreadable(source: Source, prefix: str, now_ms: int) -> dict[str, int]:
    """By topic, without its prefix, in this hour and the one before; `now_ms` is milliseconds since epoch, UTC.

    Raises Unavailable, QueryFailed.
    """
    since = (now_ms // HOUR_MS - 1) * HOUR_MS // 1000
    rows = await source.rows(UNREADABLE, {"stage": STAGE, "since": since})
    return {topic.removeprefix(prefix): count for topic, count in rows if topic.startswith(prefix)}
