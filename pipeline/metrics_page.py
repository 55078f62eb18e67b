"""Which process offers which series, and the page docs/metrics.md, which is made from that."""

from collections.abc import Iterable
from typing import Final

from pipeline import metrics
from pipeline.metrics import Series

BY_PROCESS: Final[dict[str, tuple[Series, ...]]] = {
    "resolve, journey and sink": (metrics.LAG_RECORDS, metrics.LAG_SECONDS),
    "resolve and journey": (
        metrics.STAGE_RECORDS,
        metrics.STAGE_TRANSACTIONS,
        metrics.STAGE_STEP_SECONDS,
        metrics.STAGE_RETRIES,
        metrics.STAGE_OPEN_LANES,
        metrics.STAGE_STOPPED,
        metrics.STAGE_STATE_ITEMS,
        metrics.STAGE_STATE_BYTES,
        metrics.STAGE_RESTORED_RECORDS,
        metrics.STAGE_RESTORE_SECONDS,
    ),
    "resolve": (metrics.VERDICTS, metrics.LATE),
    "sink": (
        metrics.SINK_ROWS,
        metrics.SINK_INSERT_SECONDS,
        metrics.SINK_FAILURES,
        metrics.SINK_BACKING_OFF,
        metrics.SINK_ROWS_REJECTED,
        metrics.SINK_QUERYABLE_SECONDS,
    ),
    "probe": (metrics.PROBE_SECONDS, metrics.PROBES),
    "intake": (
        metrics.INTAKE_EVENTS,
        metrics.INTAKE_REQUESTS,
        metrics.INTAKE_REQUEST_SECONDS,
        metrics.INTAKE_WAITING_BYTES,
        metrics.INTAKE_STOPPED,
        metrics.INTAKE_READY,
    ),
    "watch": (
        metrics.WATCH_SOURCES,
        metrics.WATCH_ALERTS_OPEN,
        metrics.WATCH_ALERTS,
        metrics.WATCH_FAILURES,
        metrics.WATCH_ROUND_SECONDS,
        metrics.WATCH_LEADING,
    ),
    "serve": (
        metrics.SERVE_WAITING,
        metrics.SERVE_RESTARTS,
        metrics.SERVE_FRESHNESS,
        metrics.SERVE_SILENCE,
        metrics.SERVE_POLL_SECONDS,
        metrics.SERVE_POLL_ERRORS,
        metrics.SERVE_REQUESTS,
        metrics.SERVE_REQUEST_SECONDS,
        metrics.SERVE_WATCHERS,
    ),
}


def as_markdown() -> str:
    """The page of metrics."""
    parts = "\n".join(f"\n## {process}\n{_table(series)}" for process, series in BY_PROCESS.items())
    return f"""# Metrics

Every process offers `/metrics` for Prometheus and `/healthz` on 127.0.0.1; `touchstream status --json` says where, `up` writes it
to `run/prometheus.json` in the home as targets for Prometheus' `file_sd_configs`, with the label `process`
([`deploy/prometheus`](../deploy/prometheus)). `TOUCHSTREAM_METRICS_PORT` sets the ports: resolve takes it, journey the next one,
then the sink, the probe, the intake and the watch; 0 means free ones. `serve` has its own under the board's address.

Times are in seconds, sizes in bytes. A histogram is scraped as `_bucket`, `_sum` and `_count`. Labels hold names of topics, tables,
steps and codes, and never anything of a person. Each process adds Prometheus' usual `process_*` series of itself.
{parts}

## End to end
`touchstream_sink_queryable_seconds` measures real traffic. A probe measures also when there is none: `touchstream up --probe` (or
`TOUCHSTREAM_PROBE_INTERVAL_S=10`) sends a touchpoint of the installation's own every ten seconds and waits until it can be queried.
It goes the way of every touchpoint, because a way of its own would measure something else. So it is stored and counted like one:
source `touchstream`, type `probe.sent`, channel `other`, one person with the identifier `probe:installation`. That is why it is off
unless you ask for it.
"""


def _table(series: Iterable[Series]) -> str:
    rows = "\n".join(f"| `{one.shown}` | {one.kind} | {one.meaning} | {one.watch} |" for one in series)
    return f"| series | kind | what it says | when to look |\n| --- | --- | --- | --- |\n{rows}"
