"""What the intake says of itself to Prometheus; the names and their meaning stand in `pipeline/metrics.py`."""

from collections import Counter
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from pipeline import metrics
from pipeline.exposition import counter, gauge, histogram
from pipeline.intake.outbox import Outbox
from pipeline.intake.verdicts import Verdict


class IntakeMetrics:
    """The intake's series. Sources are those that have keys, so their number is bounded."""

    def __init__(self, registry: CollectorRegistry, outbox: Outbox) -> None:
        self._events = counter(metrics.INTAKE_EVENTS, registry)
        self._requests = counter(metrics.INTAKE_REQUESTS, registry)
        self._stopped = gauge(metrics.INTAKE_STOPPED, registry)
        self.seconds = histogram(metrics.INTAKE_REQUEST_SECONDS, registry)
        gauge(metrics.INTAKE_WAITING_BYTES, registry).set_function(lambda: outbox.waiting_bytes)
        gauge(metrics.INTAKE_READY, registry).set_function(lambda: float(outbox.is_ready))

    def answered(self, status: int) -> None:
        """A request was answered."""
        self._requests.labels(str(status)).inc()

    def stopped(self, source: str, *, now: bool) -> None:
        """A source was stopped, or is taken again."""
        self._stopped.labels(source).set(float(now))

    def taken(self, source: str, verdicts: Sequence[Verdict]) -> None:
        """A source was told these verdicts."""
        for verdict, count in Counter(one.status for one in verdicts).items():
            self._events.labels(source, verdict).inc(count)
