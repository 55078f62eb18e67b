"""Whether so much of a topic cannot be read that it is systematic. Pure.

Of what cannot be read nobody knows which source has sent it, so no source is judged by it. A long run of it stops the partition.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.health.judge import EASIER, Finding

UNREADABLE: Final = "source.unreadable"


def unreadable(
    counts: Mapping[str, int], topics: Iterable[str], bound: int, already: Iterable[str] = ()
) -> dict[str, tuple[Finding, ...]]:
    """The findings on each topic, from how many of its records of this hour and the one before came from nobody knows whom and were
    rejected. `already` are the topics with an open alert; 0 for `bound` is never."""
    standing = frozenset(already)
    return {topic: _finding(topic, counts.get(topic, 0), bound, topic in standing) for topic in topics}


def _finding(topic: str, count: int, bound: int, standing: bool) -> tuple[Finding, ...]:
    if not bound or count < bound * (EASIER if standing else 1.0):
        return ()
    summary = (
        f"{count} records on {topic} were rejected in this hour and the one before, and nobody knows who sent them"
    )
    return (Finding(UNREADABLE, "critical", summary),)
