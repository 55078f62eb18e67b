"""Times in words, exactly. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
LONGEST: Final = 40
INT64: Final = range(-(2**63), 2**63)


def milliseconds(value: int | str) -> int | None:
    """Milliseconds since epoch, UTC, of a number of them or of an ISO 8601 time with its offset; None when it is neither."""
    if isinstance(value, int):
        return value if value in INT64 else None
    if len(value) > LONGEST:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
