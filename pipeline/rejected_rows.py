"""Rejected records as the tables have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.redrives import Place, Rejected
from sinks.clickhouse import ClickHouse

_COLUMNS: Final = (
    "source_topic, source_partition, source_offset, stage, reason, field, expected, got, schema_id,"
    " toUnixTimestamp64Milli(rejected_at), source, event_type, channel"
)
_WHERE: Final = (
    "(%(reason)s = '' OR reason = %(reason)s) AND (%(stage)s = '' OR stage = %(stage)s)"
    " AND (%(topic)s = '' OR source_topic = %(topic)s) AND (%(source)s = '' OR source = %(source)s)"
    " AND rejected_at >= fromUnixTimestamp64Milli(%(since)s)"
)
_ORDER: Final = "ORDER BY rejected_at DESC, source_topic, source_partition, source_offset"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejected records: by reason, stage, full name of the topic, source ("": any), rejected at or after `since`
    (milliseconds since epoch, UTC)."""

    reason: str = ""
    stage: str = ""
    topic: str = ""
    source: str = ""
    since: int = 0

    def parameters(self) -> dict[str, Any]:
        """For a query."""
        return {
            "reason": self.reason,
            "stage": self.stage,
            "topic": self.topic,
            "source": self.source,
            "since": self.since,
        }


COUNT: Final = f"SELECT count() FROM rejected FINAL WHERE {_WHERE}"
"""How many there are, with the parameters of `Wanted`."""
FIND: Final = f"SELECT {_COLUMNS}, '', '' FROM rejected FINAL WHERE {_WHERE} {_ORDER} LIMIT %(limit)s"
"""The newest ones without key and bytes, with the parameters of `Wanted` and a limit; each row is one for `rejected_of`."""
AT: Final = (
    f"SELECT {_COLUMNS}, key, payload FROM rejected FINAL"
    f" WHERE (source_topic, source_partition, source_offset) IN %(places)s {_ORDER}"
)
"""Those at some places, whole, as tuples; each row is one for `rejected_of`."""


def count(database: ClickHouse, wanted: Wanted) -> int:
    """How many there are. Raises Unavailable, Refused."""
    return int(database.query(COUNT, wanted.parameters())[0][0])


def find(database: ClickHouse, wanted: Wanted, limit: int) -> list[Rejected]:
    """The newest ones, up to `limit`, without key and bytes. Raises Unavailable, Refused."""
    return [rejected_of(row) for row in database.query(FIND, {**wanted.parameters(), "limit": limit})]


def at(database: ClickHouse, places: Sequence[Place]) -> list[Rejected]:
    """Those at these places, whole; of a place that several stages rejected, each. Raises Unavailable, Refused."""
    return [rejected_of(row) for row in database.query(AT, {"places": [tuple(place) for place in places]})]


def rejected_of(row: Sequence[Any]) -> Rejected:
    """The rejected record of a row."""
    topic, partition, offset, stage, reason, field, expected, got, schema_id, when, *parts, key, payload = row
    place = Place(topic, partition, offset)
    return Rejected(
        place, stage, reason, field, expected, got, schema_id, when, _bytes(key), _bytes(payload), *map(str, parts)
    )


def _bytes(value: str | bytes) -> bytes:
    """The driver gives text where the bytes are UTF-8."""
    return value.encode() if isinstance(value, str) else value
