"""Sends a simulation at a pace, through whatever happens to the broker; `python -m tests.harness.sender FILE` with an Order."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.config import Settings
from pipeline.produce import full_speed, per_second, produce
from pipeline.simulate import Options, Simulation
from pipeline.simulate.simulation import Record

START: Final = 1_760_000_000_000
DELIVERY_TIMEOUT_S: Final = 600.0
EVENTS_PER_CUSTOMER: Final = 40
EVENT_RATE: Final = 100.0


class Order(msgspec.Struct, frozen=True):
    """What to send: `events` records of the simulation `seed`, at `rate` records a second of the wall clock (0: at once).

    SIGTERM ends it early and well.
    """

    home: str
    bootstrap: str
    secret: str
    seed: int
    events: int
    rate: float
    report: str


class Sent(msgspec.Struct, frozen=True):
    """What became of an order: the first `sent` records were sent, and `acknowledged` of them confirmed; it took `seconds`."""

    sent: int
    acknowledged: int
    seconds: float


def options(seed: int, events: int) -> Options:
    """The simulation of a seed: 2% duplicates, 5% late, 0.5% invalid. A function of its arguments alone."""
    return Options(
        start=START,
        seed=seed,
        rate=EVENT_RATE,
        customers=max(200, events // EVENTS_PER_CUSTOMER),
        duplicates=0.02,
        late=0.05,
        invalid=0.005,
    )


def records(seed: int, events: int) -> Iterator[Record]:
    """The records of an order, in the order of sending."""
    return itertools.islice(Simulation(options(seed, events)), events)


def send(order: Order, progress: Callable[[int], None] = lambda _: None) -> Sent:
    """Send everything; returns when all is acknowledged. Raises ProduceError when the broker stays away for ten minutes."""
    values: dict[str, Any] = {"home": order.home, "kafka_bootstrap": order.bootstrap, "secret": order.secret}
    settings = Settings(**values)
    contents = (record.content for record in records(order.seed, order.events))
    pace = per_second(order.rate) if order.rate else full_speed
    counts = produce(settings, contents, pace, progress, delivery_timeout=DELIVERY_TIMEOUT_S)
    return Sent(counts.sent, counts.acknowledged, counts.seconds)


def main() -> int:
    """The command line."""
    order = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Order)
    report = Path(order.report)
    told = 0

    def progress(sent: int) -> None:
        nonlocal told
        if sent and (sent - told >= 500 or not told):
            report.with_suffix(".progress").write_text(str(sent))
            told = sent

    sent = send(order, progress)
    report.write_bytes(msgspec.json.encode(sent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
