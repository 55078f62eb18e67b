"""Event ids for events that have none of their own."""

import secrets
import time
import uuid


def uuid7() -> str:
    """A UUID that sorts by the time at which it was made. Source: RFC 9562 (2024), section 5.7."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=bits))
