"""`touchstream run NAME`: one process in the foreground, as the supervisor or a container starts it."""

import os
import signal
import threading
from enum import StrEnum
from typing import Annotated

import typer

from pipeline import crash, endpoints, logs, ready
from pipeline.cli.output import EX_CONFIG, EX_SOFTWARE, EX_UNAVAILABLE, fail, settings
from pipeline.config import Settings


class Process(StrEnum):
    """What can be run."""

    kafka = "kafka"
    clickhouse = "clickhouse"
    resolve = "resolve"
    journey = "journey"
    sink = "sink"
    serve = "serve"


def run(name: Annotated[Process, typer.Argument(help="Which process.")]) -> None:
    """Run one process in the foreground until Ctrl-C or SIGTERM.

    Example: touchstream run journey
    """
    chosen = settings()
    logs.set_up(name.value, chosen.log_level)
    runners = {Process.kafka: _kafka, Process.clickhouse: _clickhouse, Process.sink: _sink, Process.serve: _serve}
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
    from processors.agents import run as run_stage

    run_stage(name, chosen, lambda: ready.say(chosen, name))


def _sink(chosen: Settings) -> None:
    from kafka.errors import InvalidSessionTimeoutError, KafkaError

    from pipeline.rules import registry_of
    from sinks.clickhouse import ClickHouse, Refused
    from sinks.consumer import RecordUnreadable, Sink, SinkNames
    from sinks.ranges import Limits, PlanUnreadable

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    names = SinkNames(
        endpoints.kafka(chosen),
        f"{chosen.topic_prefix}sink",
        chosen.topic_prefix,
        chosen.session_timeout_s,
        instance=chosen.instance or None,
    )
    sink = Sink(names, ClickHouse(chosen), registry_of(chosen), Limits(chosen.sink_batch_rows, chosen.sink_linger_ms))
    try:
        sink.run(stopping.is_set, lambda: ready.say(chosen, "sink"))
    except (Refused, RecordUnreadable, PlanUnreadable) as error:
        fail(f"the sink stops, because going on would lose something: {error}", EX_SOFTWARE)
    except InvalidSessionTimeoutError:
        least = "group.min.session.timeout.ms"
        fail(f"TOUCHSTREAM_SESSION_TIMEOUT_S={chosen.session_timeout_s:g} is not allowed by Kafka's {least}", EX_CONFIG)
    except KafkaError as error:
        fail(f"sink: Kafka at {names.bootstrap}: {error}", EX_UNAVAILABLE)


def _serve(chosen: Settings) -> None:
    from pipeline import lag
    from pipeline.serve.run import CannotListen
    from pipeline.serve.run import run as run_serve

    def behind() -> dict[str, int] | None:
        try:
            return {name: position.lag for name, position in lag.measure(endpoints.kafka(chosen), chosen).items()}
        except (lag.LagUnknown, endpoints.NotRunning):
            return None

    try:
        run_serve(chosen, behind)
    except CannotListen as error:
        fail(str(error), EX_UNAVAILABLE)
