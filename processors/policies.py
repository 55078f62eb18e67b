"""The rules that the journey stage follows, as values. Times in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Final

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Web 30 minutes is the convention of web analytics, app 5 minutes that of mobile; written channels breathe more slowly.
SESSION_GAPS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "call": HOUR,
        "web": 30 * MINUTE,
        "email": DAY,
        "app": 5 * MINUTE,
        "chat": 30 * MINUTE,
        "sms": DAY,
        "letter": 7 * DAY,
        "social": DAY,
        "store": 2 * HOUR,
        "device": 30 * MINUTE,
        "other": 30 * MINUTE,
    }
)


@dataclass(frozen=True, slots=True)
class JourneyPolicy:
    """Pauses that end sessions (by channel) and journeys, how far back both are corrected, and where a day begins.

    A touchpoint older than its channel's newest by more than `horizon_ms` changes counts and scores but no session, and one older
    than the cell's newest by more than `journey_horizon_ms` changes no journey. A contact that its source names is one session as
    long as it does not pause for longer than `horizon_ms`.
    """

    session_gaps: Mapping[str, int] = field(default_factory=lambda: SESSION_GAPS)
    journey_gap_ms: int = 72 * HOUR
    horizon_ms: int = 30 * DAY
    journey_horizon_ms: int = 400 * DAY
    timezone: tzinfo = UTC

    def gap(self, channel: str) -> int:
        """The pause that ends a session in this channel."""
        found = self.session_gaps.get(channel)
        return self.session_gaps["other"] if found is None else found
