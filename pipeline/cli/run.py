"""`touchstream run NAME`: one process in the foreground, as the supervisor or a container starts it."""

import logging
import os
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from deploy.embedded.stopping import Stopping, stopped_by_signals
from pipeline import crash, endpoints, logs, ready
from pipeline.cli.output import EX_CONFIG, EX_SOFTWARE, EX_UNAVAILABLE, fail, settings
from pipeline.config import Settings

# When told to stop, the sink gives an answer of ClickHouse's so many seconds; the insert is repeated at the next start.
SINK_PATIENCE_S = 3.0


class Process(StrEnum):
    """What can be run."""

    kafka = "kafka"
    clickhouse = "clickhouse"
    resolve = "resolve"
    journey = "journey"
    sink = "sink"
    serve = "serve"
    probe = "probe"
    intake = "intake"
    watch = "watch"


def run(name: Annotated[Process, typer.Argument(help="Which process.")]) -> None:
    """Run one process in the foreground until Ctrl-C or SIGTERM.

    Example: touchstream run journey
    """
    chosen = settings()
    logs.set_up(name.value, chosen.log_level)
    runners = {
        Process.kafka: _kafka,
        Process.clickhouse: _clickhouse,
        Process.sink: _sink,
        Process.serve: _serve,
        Process.probe: _probe,
        Process.intake: _intake,
        Process.watch: _watch,
    }
    try:
        crash.arm(os.environ)
        runners.get(name, lambda s: _stage(name.value, s))(chosen)
    except (endpoints.NotRunning, crash.CrashPointMalformed) as error:
        fail(str(error), EX_CONFIG)
    except OSError as error:
        fail(f"{name.value}: {error}", EX_UNAVAILABLE)


def _kafka(chosen: Settings) -> None:
    from deploy.embedded.kafka import EmbeddedKafkaError, KafkaOptions, serve

    options = KafkaOptions(chosen.home, chosen.kafka_port, chosen.kafka_java, chosen.kafka_jars, chosen.kafka_heap_mb)
    try:
        serve(options, lambda address: ready.say(chosen, "kafka", address=address))
    except EmbeddedKafkaError as error:
        fail(str(error), EX_UNAVAILABLE)


def _clickhouse(chosen: Settings) -> None:
    from deploy.embedded.clickhouse import ClickHouseOptions, EmbeddedClickHouseError, serve

    options = ClickHouseOptions(chosen.home, chosen.clickhouse_port, chosen.clickhouse_password.get_secret_value())
    try:
        serve(options, lambda address: ready.say(chosen, "clickhouse", address=address))
    except EmbeddedClickHouseError as error:
        fail(str(error), EX_UNAVAILABLE)


def _stage(name: str, chosen: Settings) -> None:
    from pipeline.spare import collect_garbage_rarely, without_pandas
    from pipeline.telemetry import telemetry
    from processors.agents import run as run_stage

    without_pandas()
    collect_garbage_rarely()
    with telemetry(name, chosen) as own:
        run_stage(own, lambda: ready.say(chosen, name, metrics=own.url))


def _sink(chosen: Settings) -> None:
    from kafka.errors import InvalidSessionTimeoutError, KafkaError

    from pipeline.rules import codec_of, registry_of
    from pipeline.spare import collect_garbage_rarely, without_pandas
    from pipeline.telemetry import telemetry
    from sinks.clickhouse import ClickHouse, Refused
    from sinks.consumer import Sink
    from sinks.decisions import Tolerance
    from sinks.deduplication import DeduplicationMissing
    from sinks.ranges import Limits, PlanUnreadable
    from sinks.reader import Reader, RecordUnreadable
    from sinks.rejects import TooManyRefused
    from sinks.subscription import SinkNames

    without_pandas()
    collect_garbage_rarely()
    database = ClickHouse(chosen)
    names = SinkNames(
        endpoints.kafka(chosen),
        f"{chosen.topic_prefix}sink",
        chosen.topic_prefix,
        chosen.session_timeout_s,
        instance=chosen.instance or None,
    )
    limits = Limits(chosen.sink_batch_rows, chosen.sink_linger_ms)
    tolerance = Tolerance(chosen.sink_refused_share, chosen.sink_refused_rows)
    reader = Reader(chosen.topic_prefix, registry_of(chosen), codec_of(chosen))
    try:
        with stopped_by_signals(Stopping()) as stopping, telemetry("sink", chosen) as own:
            threading.Thread(target=_lose_patience, args=(stopping, database.hang_up), daemon=True).start()
            sink = Sink(names, database, reader, limits, tolerance)
            sink.meter = own.meter
            with own.watching(names.bootstrap, names.group, sink.assigned):
                sink.run(stopping.is_set, lambda: ready.say(chosen, "sink", metrics=own.url))
    except (TooManyRefused, DeduplicationMissing) as error:
        fail(f"the sink stops: {error}", EX_CONFIG)
    except (Refused, RecordUnreadable, PlanUnreadable) as error:
        fail(f"the sink stops, because going on would lose something: {error}", EX_SOFTWARE)
    except InvalidSessionTimeoutError:
        least = "group.min.session.timeout.ms"
        fail(f"TOUCHSTREAM_SESSION_TIMEOUT_S={chosen.session_timeout_s:g} is not allowed by Kafka's {least}", EX_CONFIG)
    except KafkaError as error:
        fail(f"sink: Kafka at {names.bootstrap}: {error}", EX_UNAVAILABLE)


def _lose_patience(stopping: Stopping, hang_up: Callable[[], None]) -> None:
    """A ClickHouse that is silent must not hold up the end."""
    stopping.wait()
    time.sleep(SINK_PATIENCE_S)
    hang_up()


def _probe(chosen: Settings) -> None:
    from pipeline import probe
    from pipeline.telemetry import telemetry
    from schemas.registry import RegistryUnavailable, SchemaUnknown
    from sinks.clickhouse import Refused

    try:
        with telemetry("probe", chosen) as own:
            ready.say(chosen, "probe", metrics=own.url)
            probe.run(chosen, own.registry)
    except (Refused, RegistryUnavailable, SchemaUnknown) as error:
        fail(f"probe: {error}", EX_UNAVAILABLE)


def _serve(chosen: Settings) -> None:
    from pipeline import lag, supervisor
    from pipeline.health.alerts import Alert
    from pipeline.http_server import CannotListen
    from pipeline.serve.run import run as run_serve
    from pipeline.watch import alert_log
    from schemas.registry import RegistryUnavailable

    def behind() -> dict[str, int] | None:
        try:
            kafka = endpoints.kafka(chosen)
            return {name: position.lag for name, position in lag.measure(kafka, chosen, exact=False).items()}
        except (lag.LagUnknown, endpoints.NotRunning):
            return None

    def restarts() -> dict[str, int]:
        running = supervisor.status(chosen) or {"processes": []}
        return {one["name"]: one["restarts"] for one in running["processes"]}

    def alerts() -> dict[str, Alert] | None:
        try:
            return alert_log.read(chosen)
        except (alert_log.AlertsUnavailable, endpoints.NotRunning, RegistryUnavailable):
            return None

    try:
        run_serve(chosen, behind, restarts, alerts)
    except CannotListen as error:
        fail(str(error), EX_UNAVAILABLE)


def _intake(chosen: Settings) -> None:
    from pipeline.http_server import CannotListen
    from pipeline.intake.run import run as run_intake
    from schemas.registry import RegistryUnavailable, SchemaUnknown

    try:
        run_intake(chosen)
    except (CannotListen, RegistryUnavailable) as error:
        fail(str(error), EX_UNAVAILABLE)
    except SchemaUnknown as error:
        fail(str(error), EX_CONFIG)


def _watch(chosen: Settings) -> None:
    from pipeline.telemetry import telemetry
    from pipeline.watch.run import run as run_watch
    from schemas.registry import RegistryUnavailable, SchemaUnknown

    endpoints.kafka(chosen), endpoints.clickhouse(chosen)  # better told at once than tried for ever
    # The driver logs a stack trace at every attempt; that ClickHouse is away is told once, by the watch.
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)
    # While a new broker makes its topic of offsets, the client calls each attempt an error.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.CRITICAL)
    try:
        with telemetry("watch", chosen) as own:
            ready.say(chosen, "watch", metrics=own.url)
            run_watch(chosen, own.registry)
    except RegistryUnavailable as error:
        fail(str(error), EX_UNAVAILABLE)
    except SchemaUnknown as error:
        fail(str(error), EX_CONFIG)
