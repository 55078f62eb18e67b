"""Measurements for Prometheus: the meter of a process, and the small server that offers it."""

import json
import logging
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from pipeline import metrics
from pipeline.meter import NoMeter, Signs
from pipeline.metrics import Series

# A second series for each one, with the time at which it began: twice the cardinality for what `process_start_time_seconds` says.
disable_created_metrics()  # type: ignore[no-untyped-call]
logger = logging.getLogger("touchstream.metrics")
REQUEST_TIMEOUT_S: Final = 5.0
Place = tuple[str, int]


def counter(series: Series, registry: CollectorRegistry) -> Counter:
    """The counter of that name."""
    return Counter(series.name, series.meaning, series.labels, registry=registry)


def gauge(series: Series, registry: CollectorRegistry) -> Gauge:
    """The gauge of that name."""
    return Gauge(series.name, series.meaning, series.labels, registry=registry)


def histogram(series: Series, registry: CollectorRegistry) -> Histogram:
    """The histogram of that name."""
    return Histogram(series.name, series.meaning, series.labels, buckets=series.buckets, registry=registry)


def process_registry() -> CollectorRegistry:
    """A registry with Prometheus' usual series of this process: memory, CPU, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class Lags:
    """What waits, by topic: the sum of its partitions' records, and the greatest of their ages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._records = gauge(metrics.LAG_RECORDS, registry)
        self._seconds = gauge(metrics.LAG_SECONDS, registry)
        self._topics: set[str] = set()

    def note(self, found: Mapping[Place, tuple[int, float]]) -> None:
        """Records and seconds by topic and partition, in place of what was known; a topic that is not named any more is gone."""
        by_topic: dict[str, list[tuple[int, float]]] = {}
        for (topic, _), lag in found.items():
            by_topic.setdefault(topic, []).append(lag)
        for topic in self._topics - set(by_topic):
            self._records.remove(topic)
            self._seconds.remove(topic)
        for topic, lags in by_topic.items():
            self._records.labels(topic).set(sum(records for records, _ in lags))
            self._seconds.labels(topic).set(max(seconds for _, seconds in lags))
        self._topics = set(by_topic)


class StageMeter(NoMeter):
    """The meter of a stage. `verdicts`: whether the stage is one that judges records."""

    def __init__(self, registry: CollectorRegistry, signs: Signs, *, verdicts: bool = False) -> None:
        self._signs = signs
        self._records = counter(metrics.STAGE_RECORDS, registry)
        self._transactions = counter(metrics.STAGE_TRANSACTIONS, registry)
        steps = histogram(metrics.STAGE_STEP_SECONDS, registry)
        self._steps = {step: steps.labels(step) for step in metrics.STEPS}
        self._retries = counter(metrics.STAGE_RETRIES, registry)
        self._lanes = gauge(metrics.STAGE_OPEN_LANES, registry)
        self._items = gauge(metrics.STAGE_STATE_ITEMS, registry)
        self._bytes = gauge(metrics.STAGE_STATE_BYTES, registry)
        self._restored_records = counter(metrics.STAGE_RESTORED_RECORDS, registry)
        self._restore_seconds = histogram(metrics.STAGE_RESTORE_SECONDS, registry)
        self._verdicts = counter(metrics.VERDICTS, registry) if verdicts else None
        self._late = counter(metrics.LATE, registry) if verdicts else None
        self._lock = threading.Lock()
        self._stopped = gauge(metrics.STAGE_STOPPED, registry)
        self._stops: set[Place] = set()
        self._states: dict[int, tuple[int, int]] = {}

    def batch(self, records: int, decode_s: float, fold_s: float, encode_s: float) -> None:
        """See Meter."""
        for step, seconds in (("decode", decode_s), ("fold", fold_s), ("encode", encode_s)):
            if seconds:
                self._steps[step].observe(seconds)

    def transaction(self, seconds: float, records: int) -> None:
        """See Meter."""
        self._signs.worked()
        self._steps["transaction"].observe(seconds)
        self._transactions.inc()
        self._records.inc(records)

    def stopped(self, topic: str, partition: int, *, now: bool) -> None:
        """See Meter."""
        with self._lock:
            (self._stops.add if now else self._stops.discard)((topic, partition))
            self._stopped.labels(topic).set(sum(of == topic for of, _ in self._stops))

    def retry(self, reason: str = "kafka") -> None:
        """See Meter."""
        self._signs.failed(reason)
        self._retries.labels(reason).inc()

    def restoring(self, partition: int, records: int) -> None:
        """See Meter."""
        self._signs.restoring[partition] = records

    def restored(self, partition: int, records: int, seconds: float) -> None:
        """See Meter."""
        self._restored_records.inc(records)
        self._restore_seconds.observe(seconds)
        self.state(partition, 0, 0)

    def closed(self, partition: int) -> None:
        """See Meter."""
        with self._lock:
            self._states.pop(partition, None)
            self._tell()

    def state(self, partition: int, items: int, size: int) -> None:
        """See Meter."""
        with self._lock:
            self._states[partition] = items, size
            self._tell()

    def verdict(self, verdict: str, count: int) -> None:
        """See Meter."""
        if self._verdicts is not None:
            self._verdicts.labels(verdict).inc(count)

    def late(self, channel: str, count: int) -> None:
        """See Meter."""
        if self._late is not None:
            self._late.labels(channel).inc(count)

    def _tell(self) -> None:
        self._lanes.set(len(self._states))
        self._items.set(sum(items for items, _ in self._states.values()))
        self._bytes.set(sum(size for _, size in self._states.values()))


class SinkMeter(NoMeter):
    """The meter of the sink."""

    def __init__(self, registry: CollectorRegistry, signs: Signs) -> None:
        self._signs = signs
        self._rows = counter(metrics.SINK_ROWS, registry)
        self._seconds = histogram(metrics.SINK_INSERT_SECONDS, registry)
        self._failures = counter(metrics.SINK_FAILURES, registry)
        self._backing_off = gauge(metrics.SINK_BACKING_OFF, registry)
        self._rejected = counter(metrics.SINK_ROWS_REJECTED, registry)
        self._queryable = histogram(metrics.SINK_QUERYABLE_SECONDS, registry)

    def inserting(self, table: str) -> None:
        """See Meter."""
        self._signs.inserting = True

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        """See Meter."""
        self._signs.inserting = False
        self._signs.inserts += 1
        self._signs.worked()
        self._backing_off.set(0)
        self._rows.labels(table).inc(rows)
        self._seconds.labels(table).observe(seconds)

    def insert_failed(self, reason: str = "clickhouse") -> None:
        """See Meter."""
        self._signs.inserting = False
        self._signs.failed(reason)
        self._backing_off.set(1)
        self._failures.labels(reason).inc()

    def rows_rejected(self, table: str, rows: int) -> None:
        """See Meter."""
        self._rejected.labels(table).inc(rows)

    def queryable(self, seconds: float) -> None:
        """See Meter."""
        self._queryable.observe(max(0.0, seconds))


class _Answers(BaseHTTPRequestHandler):
    """`/metrics` and `/healthz`; nothing of the request is ever logged or shown."""

    timeout = REQUEST_TIMEOUT_S
    registry: CollectorRegistry

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.registry))
        elif path == "/healthz":
            self._answer(200, "application/json", json.dumps({"status": "alive"}).encode())
        else:
            self._answer(404, "text/plain; charset=utf-8", b"there is /metrics and /healthz\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that hangs up is no fault of ours."""
        logger.debug("a scraper hung up")


class Exposition:
    """Offers a registry over HTTP from a thread of its own. On a port that is taken it takes a free one, because nothing may keep
    a stage from its work; `url` says where."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        handler = type("Answers", (_Answers,), {"registry": registry})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            if not port:
                raise
            logger.warning(
                "metrics: port %d of %s is not to be had (%s), taking a free one", port, host, error.strerror
            )
            self._server = _Server((host, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the series are to be had."""
        host, port = self._server.server_address[:2]
        name = "127.0.0.1" if host in ("0.0.0.0", b"0.0.0.0") else host
        return f"http://{name!s}:{port}/metrics"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=1)
