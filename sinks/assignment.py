"""Which worker inserts which partitions: those that share inserts always go to one worker, so that a plan never has two owners.
Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

TOGETHER: Final = 8
"""Partitions 0 to 7 of a topic share inserts, so do 8 to 15, and so on. Never changed: plans rest on it."""

Unit = tuple[str, int]
"""A topic's full name, and the number of eight of its partitions."""


def unit_of(topic: str, partition: int) -> Unit:
    """The unit that a partition belongs to."""
    return topic, partition // TOGETHER


def shared_out(partitions: Mapping[str, Collection[int]], members: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """For each member, in the order given, its partitions by topic: units in turn, those of different topics first."""
    found: dict[str, dict[str, list[int]]] = {member: {} for member in members}
    units: dict[Unit, list[int]] = {}
    for topic, numbers in partitions.items():
        for number in sorted(numbers):
            units.setdefault(unit_of(topic, number), []).append(number)
    for turn, (topic, number) in enumerate(sorted(units, key=lambda unit: (unit[1], unit[0]))):
        found[members[turn % len(members)]].setdefault(topic, []).extend(units[topic, number])
    return found
