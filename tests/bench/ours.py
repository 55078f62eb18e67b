"""Our own results, read back from our topics: the latest record of every thing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.codec import Decoder
from pipeline.events import Rejection
from schemas.registry import FileRegistry
from tests.bench import topics_io
from tests.bench.answers import Answers, Record, of_records
from tests.bench.broker import BenchFailed

IDENTITY: Final = {
    "customer_view": ("person",),
    "session": ("person", "session_id"),
    "score": ("person", "metric", "scale", "direction"),
}


@dataclass(slots=True)
class Things:
    """The latest record of every thing of one kind, by what identifies it."""

    record: str
    latest: dict[tuple[Any, ...], Record] = field(default_factory=dict)
    _decoder: Decoder | None = None

    def take(self, values: Iterable[bytes]) -> None:
        """Take records in the order of their topic."""
        decoder = self._decoder = self._decoder or Decoder(self.record, FileRegistry())
        for value in values:
            decoded = decoder.decode(value)
            if isinstance(decoded, Rejection):
                raise BenchFailed(f"a {self.record} cannot be read: {decoded}")
            self.latest[tuple(decoded[name] for name in IDENTITY[self.record])] = decoded


def viewed(values: Iterable[bytes]) -> Answers:
    """Answers from customer views alone: without sessions and scores."""
    things = Things("customer_view")
    things.take(values)
    return of_records(things.latest.values(), (), ())


def answers(bootstrap: str, prefix: str) -> Answers:
    """The answers that lie on our topics."""
    held = {record: Things(record) for record in IDENTITY}
    for record, things in held.items():
        topic = "customers.v1" if record == "customer_view" else f"{record}s.v1"
        topics_io.each(bootstrap, prefix + topic, things.take)
    return of_records(*(things.latest.values() for things in held.values()))
