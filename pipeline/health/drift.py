"""Whether a source fills a field more rarely, or more often, than it used to. Pure."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from pipeline.health.fields import FIELDS, Mix, filled

LEAST: Final = 200
"""Touchpoints of the present below which nothing is told."""
LEAST_OF_TYPE: Final = 100
"""Touchpoints of the past that an event type needs to be compared."""
Z: Final = 8.0
"""Standard errors that a change must have; far out, because touchpoints of one visit are alike."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One field: the share that is filled now, and the share that was to be expected, from 0 to 1."""

    field: str
    share: float
    expected: float


def drifts(recent: Mix, before: Mix, least_change: float, least_errors: float = Z) -> list[Drift]:
    """Fields whose share has changed by at least `least_change` (from 0 to 1) and `least_errors` standard errors, the greatest
    change first.

    What is to be expected is the past share of each event type, weighted by the types of the present: direct standardisation
    (J. L. Fleiss, "Statistical Methods for Rates and Proportions", 1981, chapter 14). So a day with more calls and fewer surveys
    than usual is no drift. Types that the past hardly knows are left out.
    """
    found = [drift for number in range(len(FIELDS)) if (drift := _drift(recent, before, number, least_errors))]
    return sorted(
        (d for d in found if abs(d.share - d.expected) >= least_change),
        key=lambda d: (-abs(d.share - d.expected), d.field),
    )


def _drift(recent: Mix, before: Mix, number: int, least_errors: float) -> Drift | None:
    past = {kind: told for kind, told in filled(before, number).items() if told[0] >= LEAST_OF_TYPE}
    present = {kind: told for kind, told in filled(recent, number).items() if kind in past}
    total = sum(n for n, _ in present.values())
    if total < LEAST:
        return None
    expected = variance = 0.0
    for kind, (n, _) in present.items():
        known, with_it = past[kind]
        # Laplace's rule keeps a share of nought or one from having no error at all.
        share = (with_it + 1) / (known + 2)
        expected += n * with_it / known
        variance += n * share * (1 - share) * (1 + n / known)
    observed = sum(with_it for _, with_it in present.values())
    if abs(observed - expected) < least_errors * sqrt(variance):
        return None
    return Drift(FIELDS[number], observed / total, expected / total)
