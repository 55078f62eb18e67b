"""Touchpoints onto Kafka: encoded, keyed by the strongest identifier, at a pace, acknowledged or reported as not."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

import msgspec

from pipeline import endpoints, topics
from pipeline.codec import Encoder
from pipeline.config import Settings, installation_secret
from pipeline.delivery import Delivery, ProduceError
from pipeline.events import Touchpoint
from pipeline.keys import Keyring
from pipeline.partitions import partition_of
from pipeline.pauses import at_most
from pipeline.rules import registry_of
from schemas.namespaces import strongest

__all__ = ["Pace", "ProduceError", "ProducedCounts", "Raw", "TouchpointProducer", "produce"]
DELIVERY_TIMEOUT_S: Final = 30.0
_TURN: Final = 256
_WORTH_WAITING_S: Final = 0.001


class Raw(msgspec.Struct, frozen=True):
    """A record sent as it is, however broken; `topic` is without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None


Pace = Callable[[int, Touchpoint | Raw], float | None]
"""Says from an item and its running number how many seconds after the start it is due; None: whenever."""


@dataclass(frozen=True, slots=True)
class ProducedCounts:
    """What became of a run.

    `sent` records were handed to Kafka's client and `acknowledged` of them confirmed; it took `seconds` from the first one on, was
    `behind_s` seconds behind its pace at the end, and `stopped_by` is the signal that ended it early, if one did.
    """

    sent: int
    acknowledged: int
    seconds: float = 0.0
    behind_s: float = 0.0
    stopped_by: int | None = None


def full_speed(_index: int, _item: Touchpoint | Raw) -> None:
    """The pace of everything at once."""


def per_second(rate: float) -> Pace:
    """The pace of `rate` records a second by the clock, so that delays do not add up."""
    return lambda index, _item: index / rate


def by_event_time(speed: float) -> Pace:
    """The pace of the touchpoints' own times, `speed` times as fast, from the first one on."""
    origin: int | None = None

    def due(_index: int, item: Touchpoint | Raw) -> float | None:
        nonlocal origin
        if isinstance(item, Raw):
            return None
        if origin is None:
            origin = item.occurred_at
        return (item.occurred_at - origin) / 1000 / speed

    return due


def _untold(_sent: int) -> None:
    """Progress that nobody wants to hear of."""


class TouchpointProducer:
    """Sends touchpoints idempotently, in order within a partition. An async context manager.

    Leaving it normally flushes and raises ProduceError when something stayed unacknowledged; leaving it by an exception
    does not wait. After the first ProduceError every further call raises the same. Entering raises NotRunning, OSError
    (the secret cannot be kept), RegistryUnavailable, SchemaUnknown or ProduceError.
    """

    def __init__(self, settings: Settings, *, delivery_timeout: float = DELIVERY_TIMEOUT_S) -> None:
        self._prefix = settings.topic_prefix
        self._registry = registry_of(settings)
        self._cell = Keyring(installation_secret(settings)).cell
        self._delivery = Delivery(endpoints.kafka(settings), delivery_timeout)
        self._encoders: dict[str, Encoder] = {}
        self._partitions: dict[str, int] = {}
        self._placed = lru_cache(maxsize=200_000)(self._place)

    @property
    def sent(self) -> int:
        """Records taken by `send` and `send_raw` so far."""
        return self._delivery.sent

    @property
    def acknowledged(self) -> int:
        """Records that the broker has confirmed so far."""
        return self._delivery.acknowledged

    async def __aenter__(self) -> Self:
        await self._delivery.__aenter__()
        try:
            for name in topics.SOURCES:
                await self._prepare(self._prefix + name)
        except BaseException as error:
            await self._delivery.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._delivery.__aexit__(kind, error, trace)

    async def send(self, touchpoint: Touchpoint) -> None:
        """Take one touchpoint, stamped with the present time as `received_at` if it does not say when it was sent; waits while the
        broker is behind.

        One without a usable identifier goes without a key. Raises ProduceError; ValueError or TypeError when the
        touchpoint does not fit its schema.
        """
        topic = self._prefix + topics.source_topic(touchpoint.channel)
        record = msgspec.to_builtins(touchpoint)
        # What a file says of its sending is long ago: beside the time of now it would look like a clock that is wrong.
        record["received_at"] = time.time_ns() // 1_000_000 if touchpoint.sent_at is None else None
        value = self._encoders[topic].encode(record)
        best = strongest([(i.namespace, i.value) for i in touchpoint.identifiers])
        if best is None:
            partition = self._partition(topic, touchpoint.event_id.encode())
            await self._delivery.add((topic, partition), None, value)
        else:
            key, partition = self._placed(topic, *best)
            await self._delivery.add((topic, partition), key, value)

    async def send_raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take one record as it is; `topic` is without prefix. Raises ProduceError."""
        topic = self._prefix + topic
        if topic not in self._partitions:
            self._partitions[topic] = await self._delivery.partitions(topic)
        await self._delivery.add((topic, self._partition(topic, key or value or b"")), key, value)

    async def flush(self) -> None:
        """Wait until everything sent is acknowledged. Raises ProduceError after the delivery timeout."""
        await self._delivery.flush()

    def _place(self, topic: str, namespace: str, value: str) -> tuple[bytes, int]:
        key = self._cell(namespace, value).encode()
        return key, self._partition(topic, key)

    def _partition(self, topic: str, key: bytes) -> int:
        return partition_of(key, self._partitions[topic])

    async def _prepare(self, topic: str) -> None:
        self._partitions[topic] = await self._delivery.partitions(topic)
        self._encoders[topic] = await asyncio.to_thread(Encoder, "touchpoint", self._registry, f"{topic}-value")


def produce(
    settings: Settings,
    touchpoints: Iterable[Touchpoint | Raw],
    pace: Pace = full_speed,
    progress: Callable[[int], None] = _untold,
    *,
    delivery_timeout: float = DELIVERY_TIMEOUT_S,
) -> ProducedCounts:
    """Send everything at the pace and wait for its acknowledgement; `progress` is told how many are sent, often.

    The next item is asked for only when the one before is sent. SIGINT and SIGTERM end the sending, what was sent is
    still flushed, and the counts say so; a second signal ends the flushing too. Raises what TouchpointProducer raises.
    """
    return asyncio.run(
        _produce(TouchpointProducer(settings, delivery_timeout=delivery_timeout), touchpoints, pace, progress)
    )


async def _produce(
    producer: TouchpointProducer,
    touchpoints: Iterable[Touchpoint | Raw],
    pace: Pace,
    progress: Callable[[int], None],
) -> ProducedCounts:
    clock = _Clock(pace)
    async with producer:
        clock.started = time.monotonic()
        with _signals(clock.stop) as caught:
            try:
                await _send_all(producer, touchpoints, clock, progress)
                await producer.flush()
            except asyncio.CancelledError:
                left = producer.sent - producer.acknowledged
                message = f"stopped at once; {producer.acknowledged} records are acknowledged, {left} may be lost"
                raise ProduceError(message) from None
        seconds = time.monotonic() - (clock.first_sent or clock.started)
    progress(producer.sent)
    return ProducedCounts(producer.sent, producer.acknowledged, seconds, max(0.0, clock.behind), *caught[:1])


@dataclass(slots=True)
class _Clock:
    """When items are due, on the clock of time.monotonic; how late the last one was; and whether to stop."""

    pace: Pace
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = 0.0
    first_sent: float | None = None
    behind: float = 0.0


async def _send_all(
    producer: TouchpointProducer,
    touchpoints: Iterable[Touchpoint | Raw],
    clock: _Clock,
    progress: Callable[[int], None],
) -> None:
    for index, item in enumerate(touchpoints):
        due = clock.pace(index, item)
        clock.behind = 0.0 if due is None else time.monotonic() - clock.started - due
        if clock.behind < -_WORTH_WAITING_S:
            progress(index)
            await at_most(clock.stop, -clock.behind)
        elif index % _TURN == 0:
            progress(index)
            await asyncio.sleep(0)
        if clock.stop.is_set():
            break
        if clock.first_sent is None:
            clock.first_sent = time.monotonic()
        if isinstance(item, Raw):
            await producer.send_raw(item.topic, item.key, item.value)
        else:
            await producer.send(item)


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[list[int]]:
    """Note the first SIGINT or SIGTERM by setting `stop`, and cancel this task on the second."""
    caught: list[int] = []
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def catch(number: int) -> None:
        caught.append(number)
        stop.set()
        if len(caught) > 1 and task is not None:
            task.cancel()

    watched = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    for number in watched:
        loop.add_signal_handler(number, catch, int(number))
    try:
        yield caught
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
