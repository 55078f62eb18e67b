"""The topic of alerts, written by one process at a time: whoever begins fences whoever wrote before, then reads what is there.

An alert's versions go out in one transaction, under one transactional id for the whole installation, so none is lost or doubled by
a process that dies, and none is added by one that has been replaced.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from pipeline import crash, endpoints, rawlog
from pipeline.codec import Codec
from pipeline.config import Settings
from pipeline.events import Raw, Rejection
from pipeline.health.alerts import Alert, alert_of, newest
from pipeline.partitions import partition_of
from pipeline.rawlog import RawLogError
from pipeline.rules import codec_of, registry_of
from pipeline.topics import ALERTS
from schemas.registry import Registry

TIMEOUT_MS: Final = 30_000
LONGEST_PAUSE_MS: Final = 24 * 3_600_000


class AlertsUnavailable(ConnectionError):
    """Kafka does not answer. Whether the last alerts were written is not known; who opens the log again finds out."""


class Replaced(Exception):
    """Another process writes alerts now."""


def read(settings: Settings) -> dict[str, Alert]:
    """Every alert about no person in its newest version, by id. Raises AlertsUnavailable, NotRunning, RegistryUnavailable."""
    try:
        return _newest(settings, rawlog.read(endpoints.kafka(settings), [settings.topic_prefix + ALERTS]).records)
    except RawLogError as error:
        raise AlertsUnavailable(str(error)) from error


async def read_now(settings: Settings) -> dict[str, Alert]:
    """As `read`, in a loop that runs already."""
    bootstrap = endpoints.kafka(settings)
    try:
        log = await rawlog.read_now(bootstrap, [settings.topic_prefix + ALERTS])
    except (KafkaError, RawLogError, OSError) as error:
        raise AlertsUnavailable(f"Kafka at {bootstrap} does not answer: {error}") from error
    return _newest(settings, log.records)


def _newest(settings: Settings, raws: Iterable[Raw]) -> dict[str, Alert]:
    found, codec = list(raws), codec_of(settings)
    records = codec.decoder("alert", registry_of(settings)).decode_all([raw.value for raw in found])
    # What is no alert is not ours; what is about a person is another process's.
    ours = [
        (record, raw.origin.arrived_at)
        for record, raw in zip(records, found, strict=True)
        if not isinstance(record, Rejection) and record["person"] is None
    ]
    return newest(alert_of(record, written_ms) for record, written_ms in ours)


class AlertLog:
    """The log, open for writing. After any error it is used up: open a new one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic_prefix + ALERTS
        self._bootstrap = endpoints.kafka(settings)
        codec, registry = codec_of(settings), registry_of(settings)
        self._encoder = _encoder(codec, registry, self._topic)
        self._producer: Any = None
        self._partitions = 1

    async def open(self) -> dict[str, Alert]:
        """Fence whoever wrote before; every alert in its newest version. Raises AlertsUnavailable, RegistryUnavailable."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id="touchstream",
            transactional_id=f"{self._settings.topic_prefix}watch",
            transaction_timeout_ms=TIMEOUT_MS,
            compression_type="zstd",
        )
        try:
            await asyncio.wait_for(self._producer.start(), TIMEOUT_MS / 1000)
            crash.here("watch", "fenced")
            self._partitions = len(await self._producer.partitions_for(self._topic))
            log = await rawlog.read_now(self._bootstrap, [self._topic])
        except (KafkaError, RawLogError, OSError) as error:
            raise AlertsUnavailable(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        return _newest(self._settings, log.records)

    async def write(self, alerts: Sequence[Alert]) -> None:
        """All of them or none, acknowledged. Raises AlertsUnavailable, Replaced."""
        try:
            async with self._producer.transaction():
                sent = [await self._send(alert) for alert in alerts]
                crash.here("watch", "sending")
                await asyncio.wait_for(asyncio.gather(*sent), TIMEOUT_MS / 1000)
                crash.here("watch", "sent")
        except (ProducerFenced, IllegalOperation) as error:
            raise Replaced("another process writes the alerts now") from error
        except (KafkaError, OSError) as error:
            raise AlertsUnavailable(f"Kafka at {self._bootstrap} did not take the alerts: {error}") from error
        crash.here("watch", "committed")

    async def _send(self, alert: Alert) -> Any:
        key = alert.subject.encode()
        where = partition_of(key, self._partitions)
        return await self._producer.send(self._topic, self._encoder.encode(alert.record()), key=key, partition=where)

    async def close(self) -> None:
        """Let go; what was not committed is aborted by whoever opens the log next."""
        if self._producer is not None:
            await self._producer.stop()


def _encoder(codec: Codec, registry: Registry, topic: str) -> Any:
    return codec.encoder("alert", registry, f"{topic}-value")


class Lead:
    """Who of several processes is to write: the member of their group that holds the first partition. The others stand by, and
    one of them leads when the leader ends, at the latest when its session times out. An async context manager.

    Entering raises AlertsUnavailable.
    """

    def __init__(self, settings: Settings) -> None:
        topic = settings.topic_prefix + ALERTS
        self._first = TopicPartition(topic, 0)
        self._bootstrap = endpoints.kafka(settings)
        self._consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self._bootstrap,
            group_id=f"{settings.topic_prefix}watch",
            group_instance_id=settings.instance or None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_s * 250),
            max_poll_interval_ms=LONGEST_PAUSE_MS,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise AlertsUnavailable(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def held(self) -> bool:
        """Whether it is this process's turn to write. Raises AlertsUnavailable.

        To be asked at every turn. A member that has not asked for LONGEST_PAUSE_MS leaves the group, so that another one leads,
        and would go on to hold what it held.
        """
        try:
            await self._consumer.getmany(timeout_ms=0)
        except KafkaError as error:
            raise AlertsUnavailable(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        return self._first in self._consumer.assignment()
