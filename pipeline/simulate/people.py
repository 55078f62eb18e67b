"""Simulated customers: the names that sources know them by, and how satisfied they truly are, which no source knows."""

import math
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Final

from pipeline.events import Identifier

LANGUAGES: Final = {"en": 0.45, "de": 0.25, "ru": 0.2, "zh": 0.1}
_MOOD_RETURNS_MS: Final = 10 * 86_400_000
BEST: Final = 10.0
# What happenings do to satisfaction, in points of the scale from 0 to 10.
EFFECTS: Final = {
    "answered_fast": 0.1,
    "waited": -0.5,
    "gave_up": -0.9,
    "transferred": -0.4,
    "resolved": 0.5,
    "unresolved": -0.7,
    "asked_again": -0.8,
    "promise_kept": 0.8,
    "promise_broken": -2.2,
    "delivered": 0.4,
    "delivered_late": -1.0,
    "not_delivered": -1.6,
    "payment_failed": -0.4,
    "failure_seen": -0.3,
    "found_help": 0.2,
    "found_nothing": -0.4,
    "thanked": 0.2,
}


@dataclass(slots=True)
class Matter:
    """Something that a customer wants settled, and how often they have called about it."""

    reason: str
    calls: int = 0


@dataclass(slots=True)
class Customer:
    """One simulated person. `mood` is the true satisfaction from 0 to 10 at `mood_at`, drawn back to `nature` by time."""

    number: int
    language: str
    nature: float
    mood: float
    mood_at: int
    salt: str
    matters: list[Matter] = field(default_factory=list)
    gone_until: int = 0

    def satisfaction(self, at: int, tempo: float) -> float:
        """True satisfaction from 0 to 10 at a time."""
        passed = max(0, at - self.mood_at) * tempo
        return self.nature + (self.mood - self.nature) * math.exp(-passed / _MOOD_RETURNS_MS)

    def feel(self, effect: str, at: int, tempo: float) -> None:
        """Something happens to the customer."""
        moved = self.satisfaction(at, tempo) + EFFECTS[effect]
        self.mood = min(BEST, max(0.0, moved))
        self.mood_at = max(at, self.mood_at)

    def names(self, *namespaces: str) -> list[Identifier]:
        """The customer's identifiers of these namespaces."""
        return [Identifier(namespace, self._name(namespace)) for namespace in namespaces]

    def _name(self, namespace: str) -> str:
        number = self.number
        match namespace:
            case "customer":
                return f"C{number:08d}"
            case "card":
                return f"L{number:010d}"
            case "email":
                return f"customer{number}@example.org"
            case "phone":
                return f"+999{number:09d}"  # no country has this code
            case "user":
                return f"user{number}"
            case "social":
                return f"chirp/customer{number}"
            case _:
                return blake2b(f"{self.salt}/{namespace}/{number}".encode(), digest_size=9).hexdigest()


def population(count: int, seed: str, at: int) -> list[Customer]:
    """So many customers, with natures around 7.4 of 10 as most businesses find them."""
    rng = Random(f"{seed}/people")
    languages = rng.choices(list(LANGUAGES), list(LANGUAGES.values()), k=count)
    natures = [min(BEST, max(1.0, rng.gauss(7.4, 1.5))) for _ in range(count)]
    return [Customer(n, languages[n], natures[n], natures[n], at, seed) for n in range(count)]
