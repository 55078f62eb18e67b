"""Which events were taken a moment ago, so that a repeat is told so and sent to Kafka once. Pure.

It spares work and tells senders; what is exact within the stated horizon is the stage `resolve`, after it.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

Event = tuple[str, bytes]
"""A source and the digest of an event id, which itself may be long."""
MOST: Final = 200_000
Outcome = TypeVar("Outcome")


class Recent(Generic[Outcome]):
    """The newest `most` events, each with what tells the outcome of taking it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[Event, Outcome] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def claim(self, event: Event, outcome: Outcome) -> Outcome | None:
        """The outcome of the first one to come with this event; None for the first itself, whose outcome is kept."""
        known = self._known.get(event)
        if known is not None:
            return known
        self._known[event] = outcome
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return None

    def forget(self, event: Event, outcome: Outcome) -> None:
        """It was not taken after all, so whoever comes with it next is the first."""
        if self._known.get(event) is outcome:
            del self._known[event]
