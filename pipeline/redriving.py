"""From places of rejected records to what became of each: read from the tables, judged, sent again or not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline import redriver, rejected_rows
from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.intake.shape import shape_of
from pipeline.redrive_judging import OVERTAKEN, SINK, Judge, Mending
from pipeline.redrive_mapping import mappings_of
from pipeline.redrives import Ledger, Place, Redriven, Rejected, Sendable, Unsendable
from pipeline.rules import admission_of, codec_of, registry_of
from pipeline.topics import OUTPUTS, SOURCES
from sinks.clickhouse import ClickHouse

Clock = Callable[[], int]
Status = Literal["sent", "sendable", "sent_before", "unsendable"]
MOST_BYTES: Final = 32 << 20
"""So many bytes of rejected records are held at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record; `at` and `to` of the one time that it was sent, `why` it cannot be."""

    place: Place
    status: Status
    at: int | None = None
    to: Place | None = None
    why: str = ""


def decoders_of(settings: Settings) -> dict[str, Decoder]:
    """What reads the bytes of rejected records, by kind of record."""
    registry = registry_of(settings)
    return {kind: Decoder(kind, registry) for kind in ("touchpoint", "resolved_touchpoint", *OUTPUTS)}


def judge_of(settings: Settings) -> Judge:
    """How this installation judges records now. Raises OSError when its secret cannot be kept."""
    registry = registry_of(settings)
    subject = f"{settings.topic_prefix}{SOURCES[0]}-value"
    encoder = codec_of(settings).encoder("touchpoint", registry, subject)
    return Judge(
        settings.topic_prefix,
        admission_of(settings, registry),
        decoders_of(settings),
        encoder,
        shape_of("touchpoint"),
        settings.intake_event_bytes,
        mappings_of(settings),
    )


class Redriving:
    """Sends the records at some places again, or tells what would come of it. `hear` gets the outcome of each."""

    def __init__(
        self, settings: Settings, database: ClickHouse, mending: Mending, now: Clock, hear: Callable[[Outcome], None]
    ) -> None:
        self._settings = settings
        self._database = database
        self._judge = judge_of(settings)
        self._mending = mending
        self._now = now
        self._hear = hear

    def send(self, places: Sequence[Place]) -> None:
        """Each at most once, ever. Raises RedriveFailed, NotRunning, RawLogError, Unavailable, Refused, RegistryUnavailable."""
        left = self._unsent(places, redriver.ledger(self._settings))
        if left:  # a redrive that has nothing to send would end one that is at work
            redriver.redrive(self._settings, self._sendable(left), self._now, self._heard)

    def look(self, places: Sequence[Place]) -> None:
        """Send nothing. Raises as `send` does."""
        for chunk in self._sendable(self._unsent(places, redriver.ledger(self._settings))):
            for one in chunk:
                if redriver.is_overtaken(self._settings, one):
                    self._heard(one.place, None, now=True)
                else:
                    self._hear(Outcome(one.place, "sendable"))

    def _heard(self, place: Place, one: Redriven | None, now: bool) -> None:
        if one is None:
            self._hear(Outcome(place, "unsendable", why=OVERTAKEN))
        else:
            self._hear(Outcome(place, "sent" if now else "sent_before", one.at, one.to))

    def _unsent(self, places: Sequence[Place], known: Ledger) -> list[Place]:
        """Each once. What was sent before is told so, whether or not it would be taken as it is."""
        every = list(dict.fromkeys(places))
        for place in every:
            if place in known:
                self._heard(place, known[place], now=False)
        return [place for place in every if place not in known]

    def _sendable(self, every: Sequence[Place]) -> Iterator[list[Sendable]]:
        for wanted in self._chunks(every):
            found = _by_place(rejected_rows.at(self._database, wanted))
            judged = [self._judged(place, found.get(place)) for place in wanted]
            for one in judged:
                if isinstance(one, Unsendable):
                    self._hear(Outcome(one.place, "unsendable", why=one.why))
            yield [one for one in judged if isinstance(one, Sendable)]

    def _chunks(self, every: Sequence[Place]) -> Iterator[list[Place]]:
        """Those that are read, judged and sent together: the intake keeps whole bodies too, and a few hundred fill the memory."""
        for first in range(0, len(every), redriver.TOGETHER):
            some = every[first : first + redriver.TOGETHER]
            yield from together(some, rejected_rows.sizes(self._database, some), redriver.TOGETHER, MOST_BYTES)

    def _judged(self, place: Place, one: Rejected | None) -> Sendable | Unsendable:
        if one is None:
            return Unsendable(place, "no rejected record has come from there")
        return self._judge.of(one, self._mending, self._now())


def together(places: Sequence[Place], sizes: Mapping[Place, int], most: int, most_bytes: int) -> Iterator[list[Place]]:
    """The places in their order, in lists of at most so many and so many bytes; one that is larger alone."""
    held, size = list[Place](), 0
    for place in places:
        here = sizes.get(place, 0)
        if held and (len(held) == most or size + here > most_bytes):
            yield held
            held, size = [], 0
        held.append(place)
        size += here
    if held:
        yield held


def _by_place(rows: list[Rejected]) -> dict[Place, Rejected]:
    """One for each place: that of a stage where the sink has rejected it besides, and so could not store the reason."""
    return {row.place: row for row in sorted(rows, key=lambda row: row.stage != SINK)}
