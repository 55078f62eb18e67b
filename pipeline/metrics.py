"""Every metric's name, with a word for the operator. `metrics_page.py` makes docs/metrics.md of it.

Labels hold names of topics, tables, steps and codes, and never anything of a person. How a process measures itself: `meter.py`.
"""

from dataclasses import dataclass
from typing import Final, Literal

# Seconds. Steps of a batch take milliseconds, outages minutes.
FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
STEPS: Final = ("decode", "fold", "encode", "transaction")


@dataclass(frozen=True, slots=True)
class Series:
    """One metric: name without the suffix that Prometheus adds, what it says, and when the operator should look at it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    watch: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = FAST

    @property
    def shown(self) -> str:
        """The name as it is scraped, with its labels."""
        suffix = "_total" if self.kind == "counter" else ""
        return f"{self.name}{suffix}" + (f"{{{','.join(self.labels)}}}" if self.labels else "")


LAG_RECORDS: Final = Series(
    "touchstream_lag_records",
    "gauge",
    "Records that wait in this process's partitions of a topic; transaction markers among them count, too.",
    "It grows for minutes: the process is too slow or stands still; start one more worker.",
    ("topic",),
)
LAG_SECONDS: Final = Series(
    "touchstream_lag_seconds",
    "gauge",
    "How long the oldest waiting record of a topic has been waiting since it was written; 0 when none waits.",
    "Above what the board's readers accept; the first thing to alert on.",
    ("topic",),
)
STAGE_RECORDS: Final = Series(
    "touchstream_stage_records", "counter", "Records applied.", "Its rate is the stage's speed."
)
STAGE_TRANSACTIONS: Final = Series(
    "touchstream_stage_transactions",
    "counter",
    "Transactions committed.",
    "Records for each transaction: below some hundred under load, transactions cost more than the work.",
)
STAGE_STEP_SECONDS: Final = Series(
    "touchstream_stage_step_seconds",
    "histogram",
    "Time of one batch by step: decode, fold, encode, and transaction (produce, offsets and commit).",
    "Says where a slow stage spends its time; `transaction` rises with a slow broker.",
    ("step",),
)
STAGE_RETRIES: Final = Series(
    "touchstream_stage_retries",
    "counter",
    "Batches tried again, by cause: kafka, fenced, registry.",
    "Any growth has a line in the log; nothing is lost.",
    ("reason",),
)
STAGE_OPEN_LANES: Final = Series(
    "touchstream_stage_open_lanes",
    "gauge",
    "Partitions that are restored and at work here.",
    "Over all workers it is the number of partitions; less for long: a partition does not come up.",
)
STAGE_STOPPED: Final = Series(
    "touchstream_stage_stopped_partitions",
    "gauge",
    "Partitions of a topic of which nothing is taken, because a long run was rejected; a little is tried from time to time.",
    "Above 0: a source writes what is no touchpoint. Mend it; then everything is taken again by itself.",
    ("topic",),
)
STAGE_STATE_ITEMS: Final = Series(
    "touchstream_stage_state_items",
    "gauge",
    "What the state holds: event ids (resolve) or persons (journey).",
    "Grows with the horizon's traffic, then stays level.",
)
STAGE_STATE_BYTES: Final = Series(
    "touchstream_stage_state_bytes",
    "gauge",
    "Packed size of the state.",
    "Against the machine's memory; add workers before it is full.",
)
STAGE_RESTORED_RECORDS: Final = Series(
    "touchstream_stage_restored_records",
    "counter",
    "Changelog records read back.",
    "Growth without a restart or a new worker: the group rebalances.",
)
STAGE_RESTORE_SECONDS: Final = Series(
    "touchstream_stage_restore_seconds",
    "histogram",
    "Time until a partition's state was read back.",
    "It is the pause that a restart costs.",
    buckets=SLOW,
)
VERDICTS: Final = Series(
    "touchstream_resolve_verdicts",
    "counter",
    "What became of source records: admitted, duplicate, or the reason of a rejection (docs/rejections.md).",
    "A reason that grows: a source sends what is not a touchpoint.",
    ("verdict",),
)
LATE: Final = Series(
    "touchstream_resolve_late",
    "counter",
    "New touchpoints that arrived later than is usual for their channel (schemas/lateness.toml).",
    "They are taken, and correct what was said before. Growth: a source is behind, its clock is, or old data is replayed.",
    ("channel",),
)
SINK_ROWS: Final = Series(
    "touchstream_sink_rows", "counter", "Rows inserted, by table.", "Its rate is the sink's speed.", ("table",)
)
SINK_INSERT_SECONDS: Final = Series(
    "touchstream_sink_insert_seconds",
    "histogram",
    "Time of one insert, by table.",
    "It rises: ClickHouse is busy merging or short of memory.",
    ("table",),
    SLOW,
)
SINK_FAILURES: Final = Series(
    "touchstream_sink_insert_failures",
    "counter",
    "Inserts or commits that failed and are tried again, by cause: clickhouse, commit.",
    "Any growth has a line in the log; nothing is lost.",
    ("reason",),
)
SINK_BACKING_OFF: Final = Series(
    "touchstream_sink_backing_off",
    "gauge",
    "1 from a failure until the next insert that works.",
    "1 for more than a minute: ClickHouse is away or refuses for now.",
)
SINK_ROWS_REJECTED: Final = Series(
    "touchstream_sink_rows_rejected",
    "counter",
    "Rows that ClickHouse would not take and that were put aside, by table.",
    "Any growth: see `touchstream rejected`; a table and a record do not fit together.",
    ("table",),
)
SINK_QUERYABLE_SECONDS: Final = Series(
    "touchstream_sink_queryable_seconds",
    "histogram",
    "From the arrival of a touchpoint on Kafka until it can be queried; the oldest touchpoint of each insert.",
    "The latency of the whole path on real traffic.",
    buckets=SLOW,
)
PROBE_SECONDS: Final = Series(
    "touchstream_probe_seconds",
    "histogram",
    "From sending a probe until it can be queried in ClickHouse.",
    "The latency of the whole path, also without traffic.",
    buckets=SLOW,
)
PROBES: Final = Series(
    "touchstream_probes",
    "counter",
    "Probes by outcome: visible, overdue (not seen within a minute), unsent (Kafka did not take it).",
    "Any but `visible`: the path is broken or far behind.",
    ("outcome",),
)
SERVE_WAITING: Final = Series(
    "touchstream_serve_waiting_records",
    "gauge",
    "Records that wait before a stage or the sink, seen from outside, so also when that process is gone.",
    "As `touchstream_lag_records`; here a process that is down shows.",
    ("stage",),
)
SERVE_RESTARTS: Final = Series(
    "touchstream_serve_process_restarts",
    "gauge",
    "How often the supervisor has started a process again since `up`.",
    "Any growth has a line with the cause in the log.",
    ("process",),
)
SERVE_REQUESTS: Final = Series(
    "touchstream_serve_requests",
    "counter",
    "Requests answered, by route template and HTTP status.",
    "Status 5xx: ClickHouse does not answer.",
    ("route", "status"),
)
SERVE_REQUEST_SECONDS: Final = Series(
    "touchstream_serve_request_seconds",
    "histogram",
    "Time until a request was answered.",
    "Slow routes: ClickHouse is busy.",
    ("route",),
)
SERVE_POLL_SECONDS: Final = Series(
    "touchstream_serve_poll_seconds",
    "histogram",
    "Time that one polled question to ClickHouse took.",
    "Above 0.5 s the board asks less often.",
    ("query",),
)
SERVE_POLL_ERRORS: Final = Series(
    "touchstream_serve_poll_errors",
    "counter",
    "Polled questions that ClickHouse did not answer.",
    "Any growth: a part of the board is old.",
    ("query",),
)
SERVE_FRESHNESS: Final = Series(
    "touchstream_serve_freshness_seconds",
    "gauge",
    "Age of the newest stored touchpoint by arrival; NaN before there is one.",
    "High with traffic: the path is behind. High without: nobody sends.",
)
SERVE_SILENCE: Final = Series(
    "touchstream_serve_clickhouse_silent_seconds",
    "gauge",
    "Seconds since ClickHouse last answered the board.",
    "Above 30 the board shows a banner.",
)
SERVE_WATCHERS: Final = Series(
    "touchstream_serve_watchers", "gauge", "Pages open on the board.", "Each adds to what the board asks."
)

INTAKE_EVENTS: Final = Series(
    "touchstream_intake_events",
    "counter",
    "Events of sources by verdict: accepted, duplicate, rejected. All of them are stored.",
    "The share of `rejected` grows: that source sends what is not a touchpoint.",
    ("source", "verdict"),
)
INTAKE_REQUESTS: Final = Series(
    "touchstream_intake_requests",
    "counter",
    "Requests answered, by HTTP status.",
    "503: Kafka does not acknowledge, senders try again. 401, 403: a key that is wrong or has expired. 429: too much of a source.",
    ("status",),
)
INTAKE_REQUEST_SECONDS: Final = Series(
    "touchstream_intake_request_seconds",
    "histogram",
    "Time until a request with events was answered, which is when Kafka has acknowledged them.",
    "It rises with a slow broker.",
)
INTAKE_WAITING_BYTES: Final = Series(
    "touchstream_intake_waiting_bytes",
    "gauge",
    "Bytes that wait for Kafka's acknowledgement.",
    "Near `intake_waiting_mb`: requests are about to be answered 503.",
)
INTAKE_STOPPED: Final = Series(
    "touchstream_intake_stopped",
    "gauge",
    "1 for a source that is stopped because nearly all of it was rejected.",
    "1: mend the source; it keeps what it has, and is taken again by itself.",
    ("source",),
)
INTAKE_READY: Final = Series(
    "touchstream_intake_ready", "gauge", "1 while Kafka takes what comes in.", "0: everything is answered 503."
)

WATCH_SOURCES: Final = Series(
    "touchstream_watch_sources",
    "gauge",
    "Sources by how they fare: fine, new, silent, slow, flooding, rejecting, drifting.",
    "`touchstream sources` names them.",
    ("state",),
)
WATCH_ALERTS_OPEN: Final = Series(
    "touchstream_watch_alerts_open",
    "gauge",
    "Open alerts, by rule.",
    "Above 0: see `touchstream sources`.",
    ("rule",),
)
WATCH_ALERTS: Final = Series(
    "touchstream_watch_alerts",
    "counter",
    "Versions of alerts written, by rule and state: open, resolved, withdrawn.",
    "An alert that opens and is resolved again and again: its bound is too near.",
    ("rule", "state"),
)
WATCH_FAILURES: Final = Series(
    "touchstream_watch_failures",
    "counter",
    "Rounds that came to nothing, because Kafka or ClickHouse did not answer; they are tried again.",
    "Any growth has a line in the log; meanwhile nobody is told of a source.",
)
WATCH_ROUND_SECONDS: Final = Series(
    "touchstream_watch_round_seconds",
    "histogram",
    "Time of one round: reading, judging, writing.",
    "It nears `watch_interval_s`: ClickHouse is busy.",
    buckets=SLOW,
)
WATCH_LEADING: Final = Series(
    "touchstream_watch_leading",
    "gauge",
    "1 for the process that writes the alerts; others stand by.",
    "Its sum over all processes is not 1 for minutes: nobody watches.",
)
