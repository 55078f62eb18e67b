"""What every program of the comparison reads: simulated touchpoints, made once for a seed and kept in a file."""

import bisect
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from pipeline.codec import Encoder
from pipeline.events import Identifier, Origin, Raw, Touchpoint
from pipeline.flow import Rules, flow
from pipeline.keys import Keyring, person_of
from pipeline.rules import admission_of, policy_of
from pipeline.simulate.options import DAY_MS, Options
from pipeline.simulate.simulation import simulate
from schemas.registry import FileRegistry
from tests.bench.answers import Answers, of_records
from tests.bench.broker import SECRET, settings

VERSION: Final = 1
START: Final = 1_735_689_600_000
DAYS: Final = 25
ARRIVED: Final = START + 40 * DAY_MS
EVENTS_PER_PERSON: Final = 10
ZIPF: Final = 0.75
SOURCE: Final = "touchpoints.web.v1"
BATCH: Final = 5000
Pairs = list[tuple[bytes, bytes]]


class Input(msgspec.Struct):
    """Records as they lie on the topics, keyed, and the answers that they must lead to, by person.

    `raw` are touchpoints as sources send them, 2% of them twice; `resolved` are the same after the resolve stage, each once.
    `persons` names the person of each key of `raw`.
    """

    raw: Pairs
    resolved: Pairs
    expected: Answers
    persons: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which input: how many touchpoints, by which seed, and which share of them falls on one person."""

    events: int
    seed: int = 1
    hot: float = 0.0

    def path(self, folder: Path) -> Path:
        """The file in which it is kept."""
        return folder / f"input-{VERSION}-{self.events}-{self.seed}-{self.hot:g}.msgpack"


def kept(wanted: Wanted, folder: Path) -> Input:
    """The input, from its file or made now."""
    path = wanted.path(folder)
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=Input)
    made = make(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    fresh.write_bytes(msgspec.msgpack.encode(made))
    fresh.replace(path)
    return made


def make(wanted: Wanted) -> Input:
    """The input, made."""
    registry = FileRegistry()
    encoder, keyring = Encoder("touchpoint", registry, ""), Keyring(SECRET.encode())
    pairs: Pairs = []
    for touchpoint in touchpoints(wanted):
        key = keyring.cell("customer", touchpoint.identifiers[0].value)
        pairs.append((key.encode(), encoder.encode(msgspec.to_builtins(touchpoint))))
    raws = [Raw(Origin(SOURCE, 0, n, ARRIVED), key, value) for n, (key, value) in enumerate(pairs)]
    rules = settings(Path("unused"))
    everywhere = dataclasses.replace(admission_of(rules, registry), places=None)
    result = flow(raws, Rules(everywhere, policy_of(rules)))
    if result.rejected:
        raise ValueError("the simulation made a touchpoint that is rejected")
    whole = Encoder("resolved_touchpoint", registry, "")
    resolved = [(record["person"].encode(), whole.encode(record)) for record in result.touchpoints]
    told = list(result.persons.values())
    expected = of_records(
        (view for outputs in told for view in outputs["customer_view"]),
        (session for outputs in told for session in outputs["session"]),
        (score for outputs in told for score in outputs["score"]),
    )
    persons = {key.decode(): person_of(key.decode()) for key, _ in pairs}
    return Input(pairs, resolved, expected, persons)


def touchpoints(wanted: Wanted) -> Iterator[Touchpoint]:
    """Simulated touchpoints of 25 days, whose customers come as often as Zipf's law has it."""
    customers = max(100, wanted.events // EVENTS_PER_PERSON)
    options = Options(
        start=START, seed=wanted.seed, rate=wanted.events / (DAYS * DAY_MS / 1000), customers=customers, invalid=0.0
    )
    shares = cumulated(customers)
    made = (item for item in simulate(options) if isinstance(item, Touchpoint))
    for touchpoint in itertools.islice(made, wanted.events):
        yield owned(touchpoint, shares, wanted.hot)


def cumulated(customers: int) -> list[float]:
    """The share of the first customer, of the first two and so on, by Zipf's law."""
    weights = list(itertools.accumulate(rank**-ZIPF for rank in range(1, customers + 1)))
    return [weight / weights[-1] for weight in weights]


def owned(touchpoint: Touchpoint, shares: list[float], hot: float) -> Touchpoint:
    """The touchpoint with an owner drawn by its identifier, so that what one name has done stays together."""
    rank = bisect.bisect_left(shares, _drawn(touchpoint.identifiers[0].value))
    if hot and _drawn(touchpoint.event_id) < hot:
        rank = 0
    others = [one for one in touchpoint.identifiers if one.namespace != "customer"]
    return replace(touchpoint, identifiers=[Identifier("customer", f"Z{rank:08d}"), *others])


def _drawn(name: str) -> float:
    return float(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") / (1 << 56))
