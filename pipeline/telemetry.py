"""What a process measures of itself, put together: registry, meter, self-check, and the address that offers it all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline.config import Settings
from pipeline.exposition import Exposition, Lags, SinkMeter, StageMeter, process_registry
from pipeline.meter import Meter, NoMeter, Signs
from pipeline.self_check import SelfCheck, Subject
from pipeline.standing import Place
from pipeline.targets import PROCESSES
from pipeline.watchdog import Patience

# The sink works through all its partitions in one loop, so one of them may have to wait for several turns of the others.
SINK_TURNS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Of one process. `url` is where its series are to be had."""

    name: str
    settings: Settings
    registry: CollectorRegistry
    signs: Signs
    meter: Meter
    url: str

    @contextmanager
    def watching(self, bootstrap: str, group: str, places: Callable[[], frozenset[Place]]) -> Iterator[None]:
        """Measure the lag of the process's own partitions, and end the process when it no longer gets on."""
        in_turns = self.name == "sink"
        subject = Subject(bootstrap, group, places, _partition if in_turns else _number, self.signs)
        patience = Patience(self.settings.watchdog_s, SINK_TURNS if in_turns else 1.0)
        with SelfCheck(subject, Lags(self.registry), patience).going_on():
            yield


@contextmanager
def telemetry(name: str, settings: Settings) -> Iterator[Telemetry]:
    """Offer the metrics of the process `name` for as long as the context lasts. Raises OSError when no port is to be had."""
    registry, signs = process_registry(), Signs()
    meter: Meter = NoMeter()
    if name == "sink":
        meter = SinkMeter(registry, signs)
    elif name not in ("probe", "intake", "watch"):
        meter = StageMeter(registry, signs, verdicts=name == "resolve")
    port = settings.metrics_port + PROCESSES.index(name) if settings.metrics_port else 0
    exposition = Exposition(registry, settings.metrics_host, port)
    try:
        yield Telemetry(name, settings, registry, signs, meter, exposition.url)
    finally:
        exposition.close()


def _number(place: Place) -> str:
    """A stage has one lane for all topics of a partition's number."""
    return f"partition {place[1]}"


def _partition(place: Place) -> str:
    return f"{place[0]}-{place[1]}"
