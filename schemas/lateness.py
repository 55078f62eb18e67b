"""How late a touchpoint usually is, by channel: what lateness.toml says."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@cache
def usual_ms() -> Mapping[str, int]:
    """Milliseconds from the end of a touchpoint to its arrival that are usual at most, by channel."""
    return MappingProxyType(tomllib.loads(Path(__file__).with_name("lateness.toml").read_text())["usual_ms"])


def is_late(record: Mapping[str, Any], arrived_at: int) -> bool:
    """Whether a valid touchpoint arrived later than is usual for its channel; milliseconds since epoch, UTC."""
    over = record["occurred_at"] + (record["duration_ms"] or 0)
    return bool(arrived_at - over > usual_ms()[record["channel"]])
