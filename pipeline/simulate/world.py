"""The calendar: calls at their times of day, what follows from everything, and other contacts in between."""

import heapq
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import Any, Final

from pipeline.events import Identifier, Touchpoint
from pipeline.simulate import contacts, shop
from pipeline.simulate.arrivals import calls
from pipeline.simulate.options import DAY_MS, Options
from pipeline.simulate.people import Customer, population
from pipeline.simulate.scene import Episode, Scene
from pipeline.simulate.surveys import SCALES, Ledger, expected_nps

# New calls among all records. A call brings about five records, so at its peak hour calls fill half of the stream.
CALL_SHARE: Final = 0.03
_BEFORE_PER_CUSTOMER: Final = 12
_BEFORE_MOST: Final = 60_000
_BEFORE_DAYS: Final = 7
Script = Callable[[Scene], Episode]
# What customers do of themselves: the episode, its channel, how often, and which names a source then knows, most often first.
_DOINGS: Final[tuple[tuple[Script, str, float, tuple[tuple[str, ...], ...]], ...]] = (
    (shop.visit, "web", 30, (("cookie",), ("cookie",), ("cookie", "user"), ("customer", "cookie"))),
    (shop.app_use, "app", 22, (("device",), ("customer", "device"))),
    (shop.campaign, "email", 8, (("email",), ("customer", "email"))),
    (shop.shop_visit, "store", 5, (("card",), ("customer", "card"))),
    (shop.thing, "device", 6, (("device",), ("customer", "device"))),
    (shop.bill, "email", 3, (("customer", "email"),)),
    (shop.account, "web", 4, (("cookie",), ("customer", "cookie"))),
    (contacts.email, "email", 5, (("email",), ("customer", "email"))),
    (contacts.chat, "chat", 5, (("cookie",), ("email", "cookie"), ("customer", "cookie"))),
    (contacts.sms, "sms", 4, (("phone",), ("customer", "phone"))),
    (contacts.letter, "letter", 1, (("customer",),)),
    (contacts.social, "social", 3, (("social",), ("social", "email"))),
    (contacts.self_help, "web", 5, (("cookie",), ("customer", "cookie"))),
)
_WEIGHTS: Final = [weight for _, _, weight, _ in _DOINGS]
_CALLER: Final = (("customer", "phone"), ("customer", "phone"), ("phone",))


def records_before(customers: int, rate: float) -> int:
    """How many records of the time before the start a world plays through, so that it begins in the midst of things."""
    return min(_BEFORE_MOST, _BEFORE_PER_CUSTOMER * customers, int(_BEFORE_DAYS * DAY_MS / 1000 * rate))


class World:
    """Customers and what happens to them. Asked at ever later times for the next touchpoint that has occurred."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tempo = options.tempo
        self.recording = False
        self.ledgers = {metric: Ledger(scale) for metric, scale in SCALES.items()}
        self._rng = Random(options.run)
        self._run = blake2b(options.run.encode(), digest_size=5).hexdigest()
        self._ids = 0
        self._numbers: dict[str, int] = {}
        self._order = 0
        self._calendar: list[tuple[int, int, Touchpoint, Episode]] = []
        records = records_before(options.customers, options.rate)
        begin = options.start - int(records * 1000 / options.rate)
        self._people = population(options.customers, str(options.seed), begin)
        self._calls = calls(begin, CALL_SHARE * options.rate * DAY_MS / 1000, str(options.seed), options.zone)
        self._next_call = next(self._calls)
        # Whoever looks in at the start finds promises open and parcels on their way.
        for before in range(records, 0, -1):
            self.next(options.start - int(before * 1000 / options.rate))
        self.recording = True

    def next(self, at: int) -> Touchpoint:
        """The earliest touchpoint that has occurred by `at` and was not yet told of."""
        while self._next_call <= at:
            self._call(self._next_call)
            self._next_call = next(self._calls)
        while not self._calendar or self._calendar[0][0] > at:
            self._something(at)
        _, _, touchpoint, episode = heapq.heappop(self._calendar)
        self.start(episode)
        return touchpoint

    def start(self, episode: Episode) -> None:
        """Put an episode's next touchpoint, if it has one, into the calendar."""
        following = next(episode, None)
        if following is not None:
            self._order += 1
            heapq.heappush(self._calendar, (following.occurred_at, self._order, following, episode))

    def next_id(self) -> str:
        """An event id that no other touchpoint has."""
        self._ids += 1
        return f"sim-{self._run}-{self._ids:x}"

    def next_in(self, source: str) -> int:
        """The next running number of a source."""
        number = self._numbers[source] = self._numbers.get(source, 0) + 1
        return number

    def truth(self, at: int) -> dict[str, Any]:
        """What is true of all customers at a time, and of all who were asked; see docs/input.md."""
        moods = [customer.satisfaction(at, self.tempo) for customer in self._people]
        nps = sum(map(expected_nps, moods)) / len(moods)
        population_truth = {
            "customers": len(moods),
            "mean_satisfaction": sum(moods) / len(moods),
            "true_nps": nps,
        }
        return {
            "run": self._run,
            "at": at,
            "population": population_truth,
            "surveys": {metric: ledger.account() for metric, ledger in self.ledgers.items()},
        }

    def _call(self, at: int) -> None:
        customer = self._somebody(at)
        names = customer.names(*self._rng.choice(_CALLER))
        self.start(contacts.call(self._scene(customer, at, "call", names)))

    def _something(self, at: int) -> None:
        customer = self._somebody(at)
        script, channel, _, known = self._rng.choices(_DOINGS, _WEIGHTS)[0]
        names = customer.names(*self._rng.choice(known))
        scene = self._scene(customer, at, channel, names)
        if channel not in ("call", "chat"):
            scene.session = None
        self.start(script(scene))

    def _scene(self, customer: Customer, at: int, channel: str, names: list[Identifier]) -> Scene:
        return Scene(self, customer, self._rng, at, names, channel, session=f"{channel}-{self.next_id()}")

    def _somebody(self, at: int) -> Customer:
        """A customer who has not left; when nearly all have, anybody."""
        for _ in range(5):
            customer = self._people[self._rng.randrange(len(self._people))]
            if customer.gone_until <= at:
                break
        return customer
