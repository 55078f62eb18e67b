"""What the process says of itself to Prometheus. No label ever holds a person's or an identifier's name."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All series, in a registry of their own, so that one process can hold several apps."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "touchstream_serve_requests",
            "Requests answered, by route template and HTTP status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "touchstream_serve_request_seconds",
            "Time until a request was answered.",
            ("route",),
            buckets=_FAST,
            registry=self.registry,
        )
        self.poll_seconds = Histogram(
            "touchstream_serve_poll_seconds",
            "Time that one polled question to ClickHouse took. Above 0.5 s the board asks less often.",
            ("query",),
            buckets=_FAST,
            registry=self.registry,
        )
        self.poll_errors = Counter(
            "touchstream_serve_poll_errors",
            "Polled questions that ClickHouse did not answer. Any growth means a stale board.",
            ("query",),
            registry=self.registry,
        )
        self.freshness = Gauge(
            "touchstream_serve_freshness_seconds",
            "Age of the newest stored touchpoint by arrival; NaN before there is one.",
            registry=self.registry,
        )
        self.silence = Gauge(
            "touchstream_serve_clickhouse_silent_seconds",
            "Seconds since ClickHouse last answered the board.",
            registry=self.registry,
        )
        self.watchers = Gauge("touchstream_serve_watchers", "Pages open on the board.", registry=self.registry)

    def exposition(self) -> bytes:
        """The series in Prometheus' text format."""
        return generate_latest(self.registry)
