"""The Faust applications: which topics a stage reads, and how its lanes learn of rebalances. Everything else is elsewhere."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline import endpoints, topics
from pipeline.breaker import Bounds
from pipeline.codec import Encoder
from pipeline.config import Settings
from pipeline.meter import Meter, NoMeter
from pipeline.rules import admission_of, codec_of, policy_of, registry_of
from pipeline.standing import Place
from pipeline.telemetry import Telemetry
from processors.inbox import Pace
from processors.journey import FIELDS, JourneyFold
from processors.resolve import ResolvedWriter, ResolveFold
from processors.shelf import open_shelf
from processors.stage import Fold, Stage
from processors.store import Limits, Store
from processors.transaction import Names
from schemas.registry import Registry

HEARTBEATS_PER_SESSION = 3
QUEUED_BATCHES = 8
LEAST_HELD_BYTES = 1 << 20
MOST_UNSAVED_BYTES = 8 << 20
# What follows from touchpoints may be told so many times less often than they are, when there is much to do.
LINGERS = 4


@dataclass(frozen=True, slots=True)
class Definition:
    """A stage: its name, what it reads, where its state is logged, how a partition's state begins, whether outputs keep the key.

    `lingers`: how many times longer the interval between its transactions may become when they take long.
    """

    name: str
    sources: tuple[str, ...]
    changelog: str
    new_fold: Callable[[Store], Fold]
    keyed_alike: bool = False
    lingers: int = 1


class StageApp(faust.App):
    """A Faust application with a stage."""

    stage: Stage


def encoder(settings: Settings, registry: Registry, record: str, topic: str) -> Encoder:
    """The encoder of one of our topics' records."""
    return codec_of(settings).encoder(record, registry, f"{settings.topic_prefix}{topic}-value")


def saved_store(settings: Settings, stage: str, partition: int) -> Store:
    """Where a partition's state is kept: in memory up to its share, saved under home. Raises ShelfBusy, ShelfDamaged, OSError."""
    held = max(LEAST_HELD_BYTES, (settings.state_memory_mb << 20) // settings.topic_partitions)
    limits = Limits(unsaved=min(MOST_UNSAVED_BYTES, held // 2), every_ms=int(settings.state_save_s * 1000), held=held)
    return Store(open_shelf(settings.home.absolute() / "state" / stage / str(partition), stage), limits)


def resolve(settings: Settings) -> Definition:
    """The resolve stage."""
    registry = registry_of(settings)
    admission = admission_of(settings, registry)
    whole = encoder(settings, registry, "resolved_touchpoint", topics.RESOLVED)
    writer = ResolvedWriter(whole, admission.decoder)

    def new_fold(store: Store) -> Fold:
        return ResolveFold(admission, writer, store)

    return Definition("resolve", topics.SOURCES, "state.resolve.v1", new_fold)


def journey(settings: Settings) -> Definition:
    """The journey stage."""
    registry = registry_of(settings)
    decoder = codec_of(settings).decoder("resolved_touchpoint", registry, FIELDS)
    encoders = {kind: encoder(settings, registry, kind, topic) for kind, topic in topics.OUTPUTS.items()}
    policy = policy_of(settings)

    def new_fold(store: Store) -> Fold:
        return JourneyFold(decoder, encoders, policy, store)

    return Definition("journey", (topics.RESOLVED,), "state.journey.v1", new_fold, keyed_alike=True, lingers=LINGERS)


STAGES: dict[str, Callable[[Settings], Definition]] = {"resolve": resolve, "journey": journey}


def application(
    definition: Definition, settings: Settings, on_ready: Callable[[], None], meter: Meter | None = None
) -> StageApp:
    """The Faust application that runs a stage; `on_ready` is called at every assignment of partitions. Raises NotRunning."""
    bootstrap = endpoints.kafka(settings)
    group = f"{settings.topic_prefix}{definition.name}"
    sources = [settings.topic_prefix + name for name in definition.sources]
    app = StageApp(
        group,
        broker=[f"touchstream://{address}" for address in bootstrap.split(",")],
        datadir=str(_datadir(settings, definition.name)),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.topic_partitions,
        stream_buffer_maxsize=QUEUED_BATCHES,
        stream_wait_empty=False,
        consumer_group_instance_id=settings.instance or None,
        broker_max_poll_records=settings.batch_records,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / HEARTBEATS_PER_SESSION,
        broker_rebalance_timeout=30.0,
        broker_request_timeout=max(90.0, settings.session_timeout_s),
        consumer_max_fetch_size=4 << 20,
        worker_redirect_stdouts=False,
    )
    names = Names(
        definition.name,
        bootstrap,
        group,
        settings.topic_prefix,
        settings.topic_prefix + definition.changelog,
        settings.topic_partitions,
        definition.keyed_alike,
    )

    def new_fold(partition: int) -> Fold:
        return definition.new_fold(saved_store(settings, definition.name, partition))

    async def rewind(tp: TopicPartition, offset: int, after_s: float) -> None:
        await app.consumer._thread.rewind(tp, offset, after_s)  # type: ignore[attr-defined]

    interval_s = settings.transaction_interval_ms / 1000
    pace = Pace(interval_s, settings.batch_records, interval_s * definition.lingers)
    bounds = Bounds(settings.breaker_run, pause_s=settings.breaker_pause_s)
    app.stage = Stage(names, new_fold, rewind, settings.session_timeout_s + 2, meter or NoMeter(), pace, bounds)
    _connect(app, sources, on_ready)
    return app


def _connect(app: StageApp, sources: list[str], on_ready: Callable[[], None]) -> None:
    stage = app.stage

    @app.agent(app.topic(*sources))
    async def feed(stream: Any) -> None:
        async for event in stream.events():
            await stage.lane(event.message.partition).inbox.put(event.message.topic, event.value)

    @app.on_partitions_revoked.connect
    async def revoked(*_args: Any, **_kwargs: Any) -> None:
        await stage.close()

    @app.on_partitions_assigned.connect
    async def assigned(*args: Any, **_kwargs: Any) -> None:
        partitions: Iterable[TP] = args[1]
        for tp in partitions:
            if tp.topic in sources:
                stage.lane(tp.partition)
        on_ready()

    @app.on_before_shutdown.connect
    async def stopping(*_args: Any, **_kwargs: Any) -> None:
        await stage.close()


def _datadir(settings: Settings, name: str) -> Path:
    path = settings.home.absolute() / "faust" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(telemetry: Telemetry, on_ready: Callable[[], None]) -> None:
    """Run a stage until SIGTERM or SIGINT; the transactions at hand are finished first. Raises NotRunning, OSError, SystemExit."""
    settings = telemetry.settings
    _reach(endpoints.kafka(settings))
    definition = STAGES[telemetry.name](settings)
    app = application(definition, settings, on_ready, telemetry.meter)
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.spinner = None
    names, topics_read = app.stage.names, [settings.topic_prefix + name for name in definition.sources]

    def places() -> frozenset[Place]:
        return frozenset((topic, partition) for partition in list(app.stage.lanes) for topic in topics_read)

    with telemetry.watching(names.bootstrap, names.group, places):
        worker.execute_from_commandline()


def _reach(bootstrap: str) -> None:
    """Ask Kafka once before Faust does, which would end with forty lines and no hint. Raises ConnectionError."""

    async def ask() -> None:
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await client.bootstrap()
        finally:
            await client.close()

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(ask())
    except KafkaError as error:
        raise ConnectionError(f"Kafka at {bootstrap} does not answer") from error
    finally:
        loop.close()
