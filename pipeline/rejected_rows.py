"""Rejected records as the tables have them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.redrives import Place, Rejected
from sinks.clickhouse import ClickHouse

_COLUMNS: Final = (
    "source_topic, source_partition, source_offset, stage, reason, field, expected, got, schema_id,"
    " toUnixTimestamp64Milli(rejected_at), source, event_type, channel, attempt"
)
_WHERE: Final = (
    "(%(reason)s = '' OR reason = %(reason)s) AND (%(stage)s = '' OR stage = %(stage)s)"
    " AND (%(topic)s = '' OR source_topic = %(topic)s) AND (%(source)s = '' OR source = %(source)s)"
    " AND rejected_at >= fromUnixTimestamp64Milli(%(since)s)"
)
_ORDER: Final = "ORDER BY rejected_at DESC, source_topic, source_partition, source_offset"


_AGO: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def since_ms(text: str, now: int) -> int:
    """The moment that a text such as `12h` (ago) or `2026-11-22T08:00Z` means, both in milliseconds since epoch, UTC; 0 for none.

    Raises ValueError.
    """
    if not text:
        return 0
    ago = _AGO.fullmatch(text)
    if ago:
        return max(0, now - int(ago[1]) * _UNIT_MS[ago[2]])
    try:
        when = datetime.fromisoformat(text)
        return max(0, int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: 30m, 12h, 7d, or 2026-11-22T08:00Z") from None


def full_name(prefix: str, topic: str) -> str:
    """A topic's name with the installation's prefix, whether or not it came with it."""
    return topic if not topic or topic.startswith(prefix) else prefix + topic


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

SIZES: Final = (
    "SELECT source_topic, source_partition, source_offset, sum(length(payload)) FROM rejected FINAL"
    " WHERE (source_topic, source_partition, source_offset) IN %(places)s GROUP BY ALL"
)


def count(database: ClickHouse, wanted: Wanted) -> int:
    """How many there are. Raises Unavailable, Refused."""
    return int(database.query(COUNT, wanted.parameters())[0][0])


def find(database: ClickHouse, wanted: Wanted, limit: int) -> list[Rejected]:
    """The newest ones, up to `limit`, without key and bytes. Raises Unavailable, Refused."""
    return [rejected_of(row) for row in database.query(FIND, {**wanted.parameters(), "limit": limit})]


def at(database: ClickHouse, places: Sequence[Place]) -> list[Rejected]:
    """Those at these places, whole; of a place that several stages rejected, each. Raises Unavailable, Refused."""
    return [rejected_of(row) for row in database.query(AT, {"places": [tuple(place) for place in places]})]


def sizes(database: ClickHouse, places: Sequence[Place]) -> dict[Place, int]:
    """How many bytes the records at these places have. Raises Unavailable, Refused."""
    rows = database.query(SIZES, {"places": [tuple(place) for place in places]})
    return {Place(*place): size for *place, size in rows}


def rejected_of(row: Sequence[Any]) -> Rejected:
    """The rejected record of a row."""
    topic, partition, offset, *told, attempt, key, payload = row
    stage, reason, field, expected, got, schema_id, when, source, event_type, channel = told
    return Rejected(
        place=Place(topic, partition, offset),
        stage=stage,
        reason=reason,
        field=field,
        expected=expected,
        got=got,
        schema_id=schema_id,
        rejected_at=when,
        key=_bytes(key),
        payload=_bytes(payload),
        source=source,
        event_type=event_type,
        channel=channel,
        attempt=attempt,
    )


def _bytes(value: str | bytes) -> bytes:
    """The driver gives text where the bytes are UTF-8."""
    return value.encode() if isinstance(value, str) else value
