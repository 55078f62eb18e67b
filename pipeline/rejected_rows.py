"""Rejected records as the tables have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.redrives import Place, Rejected
from sinks.clickhouse import ClickHouse

_COLUMNS: Final = (
    "source_topic, source_partition, source_offset, stage, reason, field, expected, got, schema_id,"
    " toUnixTimestamp64Milli(rejected_at)"
)
_WHERE: Final = (
    "(%(reason)s = '' OR reason = %(reason)s) AND (%(stage)s = '' OR stage = %(stage)s)"
    " AND (%(topic)s = '' OR source_topic = %(topic)s) AND rejected_at >= fromUnixTimestamp64Milli(%(since)s)"
)
_ORDER: Final = "ORDER BY rejected_at DESC, source_topic, source_partition, source_offset"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejected records: by reason, stage, full name of the source topic ("": any), rejected at or after `since`
    (milliseconds since epoch, UTC)."""

    reason: str = ""
    stage: str = ""
    topic: str = ""
    since: int = 0

    def parameters(self) -> dict[str, Any]:
        """For a query."""
        return {"reason": self.reason, "stage": self.stage, "topic": self.topic, "since": self.since}


def count(database: ClickHouse, wanted: Wanted) -> int:
    """How many there are. Raises Unavailable, Refused."""
    found = database.query(f"SELECT count() FROM rejected FINAL WHERE {_WHERE}", wanted.parameters())
    return int(found[0][0])


def find(database: ClickHouse, wanted: Wanted, limit: int) -> list[Rejected]:
    """The newest ones, up to `limit`, without key and bytes. Raises Unavailable, Refused."""
    sql = f"SELECT {_COLUMNS}, '', '' FROM rejected FINAL WHERE {_WHERE} {_ORDER} LIMIT %(limit)s"
    return [_rejected(row) for row in database.query(sql, {**wanted.parameters(), "limit": limit})]


def at(database: ClickHouse, places: Sequence[Place]) -> list[Rejected]:
    """Those at these places, whole; of a place that several stages rejected, each. Raises Unavailable, Refused."""
    sql = (
        f"SELECT {_COLUMNS}, key, payload FROM rejected FINAL"
        f" WHERE (source_topic, source_partition, source_offset) IN %(places)s {_ORDER}"
    )
    return [_rejected(row) for row in database.query(sql, {"places": [tuple(place) for place in places]})]


def _rejected(row: tuple[Any, ...]) -> Rejected:
    topic, partition, offset, stage, reason, field, expected, got, schema_id, when, key, payload = row
    place = Place(topic, partition, offset)
    return Rejected(place, stage, reason, field, expected, got, schema_id, when, _bytes(key), _bytes(payload))


def _bytes(value: str | bytes) -> bytes:
    """The driver gives text where the bytes are UTF-8."""
    return value.encode() if isinstance(value, str) else value
