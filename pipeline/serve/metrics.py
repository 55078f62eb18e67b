"""What the process says of itself to Prometheus; the names and their meaning stand in `pipeline/metrics.py`."""

from prometheus_client import generate_latest

from pipeline import metrics
from pipeline.exposition import counter, gauge, histogram, process_registry


class Metrics:
    """All series, in a registry of their own, so that one process can hold several apps."""

    def __init__(self) -> None:
        self.registry = registry = process_registry()
        self.requests = counter(metrics.SERVE_REQUESTS, registry)
        self.request_seconds = histogram(metrics.SERVE_REQUEST_SECONDS, registry)
        self.poll_seconds = histogram(metrics.SERVE_POLL_SECONDS, registry)
        self.poll_errors = counter(metrics.SERVE_POLL_ERRORS, registry)
        self.freshness = gauge(metrics.SERVE_FRESHNESS, registry)
        self.silence = gauge(metrics.SERVE_SILENCE, registry)
        self.watchers = gauge(metrics.SERVE_WATCHERS, registry)
        self._waiting = gauge(metrics.SERVE_WAITING, registry)
        self._restarts = gauge(metrics.SERVE_RESTARTS, registry)

    def waits(self, lag: dict[str, int] | None) -> None:
        """So many records wait before each stage; None when nobody can tell."""
        self._waiting.clear()
        for stage, records in (lag or {}).items():
            self._waiting.labels(stage).set(records)

    def restarted(self, restarts: dict[str, int]) -> None:
        """So often each process was started again."""
        self._restarts.clear()
        for process, count in restarts.items():
            self._restarts.labels(process).set(count)

    def exposition(self) -> bytes:
        """The series in Prometheus' text format."""
        return generate_latest(self.registry)
