"""How Schemathesis writes the intake's bodies that are not JSON; it loads this by the environment's `SCHEMATHESIS_HOOKS`."""

from typing import Any

import schemathesis


def as_it_is(_context: Any, value: Any) -> bytes:
    """Bytes as they are, and texts as UTF-8."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


schemathesis.serializer("application/x-ndjson", "application/avro")(as_it_is)
