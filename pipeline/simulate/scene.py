"""What an episode works with: one customer, a clock, and the touchpoints that it makes."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from pipeline.events import Answer, Identifier, Promise, Touchpoint
from pipeline.simulate.people import Customer
from pipeline.simulate.surveys import SCALES, Ledger, answer, propensity

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
Episode = Iterator[Touchpoint]
"""Touchpoints in order of time; each is asked for when the one before has been sent."""
_SOURCES: Final = {
    "call": "pbx",
    "web": "web-shop",
    "email": "mail-desk",
    "app": "app",
    "chat": "chat-desk",
    "sms": "sms-gateway",
    "letter": "mail-room",
    "social": "social-desk",
    "store": "tills",
    "device": "things",
    "other": "back-office",
}


class Stage(Protocol):
    """Where episodes play."""

    tempo: float
    ledgers: dict[str, Ledger]
    recording: bool

    def start(self, episode: Episode) -> None:
        """Let another episode play beside this one."""

    def next_id(self) -> str:
        """An event id that no other touchpoint has."""

    def next_in(self, source: str) -> int:
        """The next running number of a source."""


@cache
def texts() -> dict[str, dict[str, list[str]]]:
    """What customers write, by language and mood (good, plain or bad)."""
    return tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))


@dataclass(slots=True)
class Scene:
    """One episode of one customer at its own time `now`, milliseconds since epoch, UTC."""

    stage: Stage
    customer: Customer
    rng: Random
    now: int
    identifiers: list[Identifier]
    channel: str
    session: str | None = None

    def fork(self, **changed: Any) -> "Scene":
        """Another scene of the same customer from now on."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        return Scene(**{**kept, "session": None, **changed})

    def wait(self, low_ms: float, high_ms: float) -> None:
        """Let a while pass that does not depend on the customer's pace: seconds and minutes within a contact."""
        self.now += max(1, int(self.rng.uniform(low_ms, high_ms)))

    def rest(self, low_h: float, high_h: float) -> None:
        """Let hours of the customer's life pass between contacts."""
        self.wait(low_h * HOUR / self.stage.tempo, high_h * HOUR / self.stage.tempo)

    def chance(self, share: float) -> bool:
        """Whether something happens that does in this share of cases."""
        return self.rng.random() < share

    def feel(self, effect: str) -> None:
        """Something happens to the customer."""
        self.customer.feel(effect, self.now, self.stage.tempo)

    def satisfaction(self) -> float:
        """The customer's true satisfaction now."""
        return self.customer.satisfaction(self.now, self.stage.tempo)

    def says(self) -> str:
        """What the customer writes in this mood."""
        mood = self.satisfaction() + self.rng.gauss(0, 1)
        kind = "good" if mood > 8.5 else "bad" if mood < 5.5 else "plain"
        return self.rng.choice(texts()[self.customer.language][kind])

    def touch(self, event_type: str, channel: str | None = None, **fields: Any) -> Touchpoint:
        """A touchpoint of this scene, now."""
        place = channel or self.channel
        source = _SOURCES[place]
        return Touchpoint(
            event_id=self.stage.next_id(),
            event_type=event_type,
            channel=place,
            occurred_at=self.now,
            source=source,
            source_sequence=self.stage.next_in(source),
            identifiers=self.identifiers,
            **{"source_session": self.session, **fields},
        )

    def promised(self, kind: str, due_h: float, kept_share: float) -> Episode:
        """A promise, and whether it is kept, as an episode of its own."""
        due = self.now + int(due_h * HOUR / self.stage.tempo)
        promise = Promise(f"promise-{self.stage.next_id()}", kind, due)
        made_at = self.now
        yield self.touch("promise.made", promise=promise, actor_type="agent")
        kept = self.chance(kept_share)
        self.session = None
        if kept:
            self.now = made_at + max(1, int((due - made_at) * self.rng.uniform(0.3, 1)))
        else:
            self.now = due + max(1, int((due - made_at) * self.rng.uniform(0.01, 0.3)))
        yield self.touch("promise.kept" if kept else "promise.broken", promise=promise, actor_type="system")
        self.feel("promise_kept" if kept else "promise_broken")

    def asked(self, metric: str, aspect: str, *, at_once: bool = False) -> Episode:
        """A survey, after a contact or on the spot; who answers depends on what they would say."""
        scale, ledger = SCALES[metric], self.stage.ledgers[metric]
        if not at_once:
            self.rest(0.2, 3)
        survey = f"survey-{self.stage.next_id()}"
        yield self.touch("survey.invited", actor_type="system", attributes={"survey": survey, "metric": metric})
        recorded = self.stage.recording
        value = answer(scale, self.satisfaction(), self.rng)
        ledger.invited[value] += recorded
        if not self.chance(propensity(scale, value)):
            return
        if at_once:
            self.wait(2_000, 15_000)
        else:
            self.rest(0.1, 20)
        given = Answer(f"{aspect}-{metric}", metric, scale.low, scale.high, value, aspect=aspect)
        comment = self.says() if self.chance(0.3) else None
        language = self.customer.language if comment else None
        yield self.touch(
            "survey.answered", answer=given, text=comment, language=language, attributes={"survey": survey}
        )
        ledger.given[value] += self.stage.recording
        ledger.answered[value] += recorded
