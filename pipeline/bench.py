"""How fast the stages' own work is, on one core and without Kafka: the same folds and rows, on the same bytes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from pipeline.codec import Codec, Decoder, Encoder
from pipeline.config import Settings
from pipeline.events import Origin, Out, Raw, Touchpoint
from pipeline.keys import Keyring
from pipeline.rules import codec_of, policy_of
from pipeline.simulate.options import Options
from pipeline.simulate.simulation import simulate
from processors.journey import FIELDS, JourneyFold
from processors.resolve import Admission, ResolvedWriter, ResolveFold
from processors.validate import TimeLimits
from schemas.registry import FileRegistry
from sinks.rows import TABLES, Where

START: Final = 1_767_225_600_000
BATCH: Final = 5000
Work = Callable[[list[list[Raw]]], list[Out]]


@dataclass(frozen=True, slots=True)
class Figure:
    """Records a core-second over some rounds."""

    what: str
    records: int
    rounds: list[float]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)


def measure(settings: Settings, records: int, rounds: int) -> list[Figure]:
    """Each stage's work over the same simulated touchpoints, interleaved, so many rounds each."""
    registry, codec = FileRegistry(), codec_of(settings)
    raw = _batches([Out("", None, value) for value in _values(records)], "touchpoints.web.v1")
    resolved = _batches(
        [out for out in _resolve(registry, codec)(raw) if out.topic != "rejected.v1"], "touchpoints.resolved.v1"
    )
    works: dict[str, tuple[Callable[[], Work], list[list[Raw]]]] = {
        "resolve: decode, validate, deduplicate, write": (lambda: _resolve(registry, codec), raw),
        "journey: decode, fold, encode, pack": (lambda: _journey(registry, settings, codec), resolved),
        "sink: decode, rows": (lambda: _rows(registry, codec), resolved),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (make, batches) in works.items():
            work = make()
            began = time.process_time()
            work(batches)
            taken[name].append(sum(map(len, batches)) / (time.process_time() - began))
    return [Figure(name, sum(map(len, works[name][1])), rounds_) for name, rounds_ in taken.items()]


def _values(records: int) -> list[bytes]:
    import msgspec

    encoder = Encoder("touchpoint", FileRegistry(), "")
    options = Options(start=START, rate=records / 3600, customers=max(100, records // 10), invalid=0.0)
    touchpoints = (item for item in simulate(options) if isinstance(item, Touchpoint))
    return [encoder.encode(msgspec.to_builtins(touchpoint)) for touchpoint in islice(touchpoints, records)]


def _batches(outs: list[Out], topic: str) -> list[list[Raw]]:
    raws = [Raw(Origin(topic, 0, n, START + 3_600_000), out.key, out.value) for n, out in enumerate(outs)]
    return [raws[i : i + BATCH] for i in range(0, len(raws), BATCH)]


def _resolve(registry: FileRegistry, codec: Codec) -> Work:
    keyring = Keyring(b"a secret for measuring only")
    admission = Admission(codec.decoder("touchpoint", registry), keyring, TimeLimits(0, 86_400_000), 24)
    writer = ResolvedWriter(codec.encoder("resolved_touchpoint", registry, ""), admission.decoder)
    return _folded(ResolveFold(admission, writer))


def _journey(registry: FileRegistry, settings: Settings, codec: Codec) -> Work:
    kinds = ("customer_view", "session", "journey", "score")
    encoders = {kind: codec.encoder(kind, registry, "") for kind in kinds}
    decoder = codec.decoder("resolved_touchpoint", registry, FIELDS)
    return _folded(JourneyFold(decoder, encoders, policy_of(settings)))


def _folded(fold: Any) -> Work:
    def work(batches: list[list[Raw]]) -> list[Out]:
        outs: list[Out] = []
        for batch in batches:
            outs += fold.fold(batch)
            fold.changes()
        return outs

    return work


def _rows(registry: FileRegistry, codec: Codec) -> Work:
    table, decoder = TABLES["touchpoints.resolved.v1"], codec.decoder("resolved_touchpoint", registry)

    def work(batches: list[list[Raw]]) -> list[Out]:
        for batch in batches:
            rows = [row for raw in batch for row in table.rows(_record(decoder, raw), Where("", 0, raw.origin.offset))]
            list(zip(*rows, strict=True))
        return []

    return work


def _record(decoder: Decoder, raw: Raw) -> dict[str, Any]:
    found = decoder.decode(raw.value)
    if not isinstance(found, dict):
        raise TypeError(f"the simulation made a record that cannot be read: {found}")
    return found
