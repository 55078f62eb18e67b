"""Surveys in which the truth is known: what everybody asked would answer, who answers, and the bias that this makes."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from statistics import NormalDist
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Scale:
    """One question with its scale; every scale here is better the higher the answer."""

    metric: str
    low: int
    high: int


SCALES: Final = {"nps": Scale("nps", 0, 10), "csat": Scale("csat", 1, 5), "ces": Scale("ces", 1, 7)}
# The share that answers, by how good the answer is from 0 to 10: the angry answer most, the contented least.
RESPONSE: Final = (0.52, 0.5, 0.47, 0.43, 0.38, 0.32, 0.26, 0.2, 0.17, 0.19, 0.24)
_NOISE: Final = 0.9
_UNIT: Final = NormalDist()


def answer(scale: Scale, satisfaction: float, rng: Random) -> int:
    """What a customer of this satisfaction (0 to 10) says when asked."""
    felt = min(10.0, max(0.0, rng.gauss(satisfaction, _NOISE)))
    return scale.low + round(felt * (scale.high - scale.low) / 10)


def expected_nps(satisfaction: float) -> float:
    """What a customer of this satisfaction (0 to 10) adds on average to the NPS when asked and sure to answer."""
    promotes = 1 - _UNIT.cdf((8.5 - satisfaction) / _NOISE)
    detracts = _UNIT.cdf((6.5 - satisfaction) / _NOISE)
    return 100 * (promotes - detracts)


def propensity(scale: Scale, value: int) -> float:
    """The probability that somebody with this answer gives it."""
    return RESPONSE[round(10 * (value - scale.low) / (scale.high - scale.low))]


def points(scale: Scale, value: int) -> float:
    """What one answer adds to its score: NPS counts promoters and detractors, the others are mean answers."""
    if scale.metric != "nps":
        return float(value)
    return 100.0 if value >= 9 else -100.0 if value <= 6 else 0.0


def score(scale: Scale, weights: dict[int, float]) -> float | None:
    """The score of answers by their weights; None when there are none."""
    total = sum(weights.values())
    return sum(points(scale, value) * weight for value, weight in weights.items()) / total if total else None


@dataclass(slots=True)
class Ledger:
    """All invitations of one question, by the answer that each would give, and those of them that were answered.

    `given` are all answers sent, also to invitations from before the simulation began.
    """

    scale: Scale
    invited: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    given: Counter[int] = field(default_factory=Counter)

    def account(self) -> dict[str, Any]:
        """The true score, what the answers say, what they were bound to say on average, and how to weight them."""
        invited, answered = sum(self.invited.values()), sum(self.answered.values())
        shares = {value: propensity(self.scale, value) for value in range(self.scale.low, self.scale.high + 1)}
        expected = {value: count * shares[value] for value, count in self.invited.items()}
        true, bound = score(self.scale, dict(self.invited)), score(self.scale, expected)
        return {
            "invited": invited,
            "answered": answered,
            "response_rate": answered / invited if invited else None,
            "expected_response_rate": sum(expected.values()) / invited if invited else None,
            "true_score": true,
            "responders_score": score(self.scale, dict(self.given)),
            "expected_responders_score": bound,
            "expected_responder_bias": None if true is None or bound is None else bound - true,
            "propensity_by_answer": {str(value): share for value, share in shares.items()},
            "invited_by_answer": {str(value): count for value, count in sorted(self.invited.items())},
            "answered_by_answer": {str(value): count for value, count in sorted(self.answered.items())},
            "given_by_answer": {str(value): count for value, count in sorted(self.given.items())},
        }
