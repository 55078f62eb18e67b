"""Medians with their extremes, and how runs become rows. Pure."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the least and the most."""

    median: float
    least: float
    most: float
    rounds: int


def spread(values: Iterable[float]) -> Spread:
    """Raises ValueError without values."""
    found = sorted(values)
    if not found:
        raise ValueError("no rounds")
    return Spread(statistics.median(found), found[0], found[-1], len(found))


def percentile(values: Iterable[float], share: float) -> float:
    """The value below or at which `share` of all lie: the nearest rank, none made up. Raises ValueError without values."""
    found = sorted(values)
    if not found:
        raise ValueError("no values")
    rank = -int(-share * len(found) // 1)
    return found[max(0, min(len(found), rank) - 1)]


def between(samples: list[tuple[float, float]], at: float) -> float:
    """The value at a time, on a straight line between the samples around it. Raises ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    before = samples[0]
    for sample in samples:
        if sample[0] >= at:
            width = sample[0] - before[0]
            return sample[1] if width <= 0 else before[1] + (sample[1] - before[1]) * (at - before[0]) / width
        before = sample
    return before[1]


def grouped(runs: Iterable[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Runs by the values of some of their fields, in order of first appearance."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        found.setdefault(tuple(run.get(name) for name in names), []).append(run)
    return found
