"""The producer on a real broker: where records land, what is acknowledged, and what is said when the broker is away."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka.partitioner.default import murmur2

from deploy.embedded.kafka import EmbeddedKafka, KafkaOptions
from deploy.embedded.ports import pick
from pipeline.config import Settings, installation_secret
from pipeline.events import Identifier, Touchpoint
from pipeline.keys import Keyring
from pipeline.produce import ProduceError, Raw, TouchpointProducer, by_event_time, per_second, produce
from tests.harness.inputs import PARTITIONS, found, fresh, held, settings_at

CHANNELS = ("call", "web", "email", "app", "chat", "letter")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(KafkaOptions(tmp_path_factory.mktemp("produce"), heap_mb=256)) as running:
        yield running


@pytest.fixture
def settings(kafka: EmbeddedKafka, tmp_path: Path) -> Settings:
    return fresh(kafka.bootstrap, tmp_path)


def touchpoint(number: int, channel: str = "call", **more: Any) -> Touchpoint:
    fields: dict[str, Any] = {
        "event_id": f"e{number}",
        "event_type": "call.ended",
        "channel": channel,
        "occurred_at": 1_700_000_000_000 + number,
        "source": "test",
        "identifiers": [Identifier("phone", f"+99 90000{number % 7:04}"), Identifier("customer", f"C{number % 7}")],
    }
    return Touchpoint(**{**fields, **more})


def within_a_minute(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def test_touchpoints_lie_under_the_cell_of_their_strongest_identifier(settings: Settings) -> None:
    sent = [touchpoint(number, CHANNELS[number % 6], text="привет") for number in range(300)]
    before = time.time_ns() // 1_000_000
    counts = produce(settings, sent)
    assert (counts.sent, counts.acknowledged, counts.stopped_by) == (300, 300, None)
    cell = Keyring(installation_secret(settings)).cell
    records = found(settings)
    by_id = {one.event_id: one for one in sent}
    for record in records:
        decoded = record.touchpoint()
        assert isinstance(decoded, Touchpoint)
        original = by_id.pop(decoded.event_id)
        assert before <= (decoded.received_at or 0) <= time.time_ns() // 1_000_000
        assert msgspec.structs.replace(decoded, received_at=None) == original
        topic = original.channel if original.channel in ("call", "web", "email", "app") else "other"
        assert record.topic == f"{settings.topic_prefix}touchpoints.{topic}.v1"
        assert record.key == cell("customer", original.identifiers[1].value).encode()
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS
    assert not by_id


def test_records_of_one_key_keep_their_order(settings: Settings) -> None:
    produce(settings, (touchpoint(number) for number in range(10_000)))
    last: dict[tuple[str, int, bytes | None], int] = {}
    for record in found(settings):
        decoded = record.touchpoint()
        assert isinstance(decoded, Touchpoint)
        key = (record.topic, record.partition, record.key)
        assert last.get(key, -1) < decoded.occurred_at
        last[key] = decoded.occurred_at
    assert len(last) == 7


def test_what_has_no_usable_identifier_is_sent_without_a_key(settings: Settings) -> None:
    nobody = touchpoint(1, identifiers=[])
    malformed = touchpoint(2, identifiers=[Identifier("customer", "C1"), Identifier("email", "nobody")])
    assert produce(settings, [nobody, nobody, malformed]).acknowledged == 3
    records = found(settings)
    assert [record.key for record in records] == [None] * 3
    assert len({(record.partition, record.value is None) for record in records}) <= 2


def test_raw_records_are_sent_as_they_are(settings: Settings) -> None:
    raw = [
        Raw("touchpoints.web.v1", None, b""),
        Raw("touchpoints.web.v1", b"k", None),
        Raw("touchpoints.call.v1", b"k", b"\x00\x01"),
    ]
    assert produce(settings, raw).acknowledged == 3
    assert {(record.topic.split(".")[2], record.key, record.value) for record in found(settings)} == {
        ("web", None, b""),
        ("web", b"k", None),
        ("call", b"k", b"\x00\x01"),
    }


def test_a_slow_sender_need_not_flush(settings: Settings) -> None:
    async def work() -> None:
        async with TouchpointProducer(settings) as producer:
            await producer.send(touchpoint(1))
            async with asyncio.timeout(20):
                while producer.acknowledged == 0:
                    await asyncio.sleep(0.01)

    within_a_minute(work())


def test_a_pace_is_kept_by_the_clock(settings: Settings) -> None:
    counts = produce(settings, (touchpoint(number) for number in range(200)), per_second(200))
    assert counts.acknowledged == 200
    assert counts.seconds >= 199 / 200
    assert counts.behind_s < 5


def test_a_pace_can_follow_the_touchpoints_own_times(settings: Settings) -> None:
    times: list[Touchpoint | Raw] = [
        touchpoint(0, occurred_at=0),
        Raw("touchpoints.web.v1", b"k", b""),
        touchpoint(1, occurred_at=30_000),
    ]
    assert produce(settings, times, by_event_time(60)).seconds >= 0.5


def test_an_error_of_the_caller_is_not_hidden_and_does_not_wait(settings: Settings) -> None:
    def items() -> Iterator[Touchpoint]:
        yield touchpoint(1)
        raise KeyError("no more")

    with pytest.raises(KeyError):
        produce(settings, items())


def test_a_touchpoint_that_does_not_fit_the_schema_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="pigeon"):
        produce(settings, [touchpoint(1, channel="pigeon")])
    with pytest.raises(UnicodeEncodeError):
        produce(settings, [touchpoint(1, text="\ud800")])


def test_no_broker_is_one_error_after_the_timeout(tmp_path: Path) -> None:
    nowhere = settings_at(f"127.0.0.1:{pick(0)}", tmp_path, "cx.")
    with pytest.raises(ProduceError, match=r"no Kafka answered at 127.0.0.1:\d+ for 1 s$"):
        produce(nowhere, [touchpoint(1)], delivery_timeout=1)


def test_missing_topics_are_named_with_what_to_do(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    settings = settings_at(kafka.bootstrap, tmp_path, "nowhere.")
    with pytest.raises(ProduceError, match=r"no topic nowhere\.touchpoints\.call\.v1 .*touchstream topics apply"):
        produce(settings, [touchpoint(1)], delivery_timeout=2)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker that the test may stop."""
    with EmbeddedKafka(KafkaOptions(tmp_path / "kafka", heap_mb=256)) as running:
        yield running


def test_what_was_not_acknowledged_is_said_and_leaving_does_not_hang(own_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    settings = fresh(own_kafka.bootstrap, tmp_path)

    async def work() -> None:
        async with TouchpointProducer(settings, delivery_timeout=2) as producer:
            for number in range(1_000):
                await producer.send(touchpoint(number))
            await producer.flush()
            assert producer.acknowledged == 1_000
            await asyncio.to_thread(own_kafka.stop)
            for number in range(1_000, 1_500):
                await producer.send(touchpoint(number))
            with pytest.raises(ProduceError, match=r"of 1500 records 1000 are acknowledged, 500 may be lost"):
                await producer.flush()
            with pytest.raises(ProduceError):
                await producer.send(touchpoint(2_000))

    before = time.monotonic()
    with pytest.raises(ProduceError):
        within_a_minute(work())
    assert time.monotonic() - before < 30


def sent_through(settings: Settings, disturb: Callable[[], None]) -> None:
    """Send 4,000 touchpoints, disturb the broker amidst them, and see each of them once on Kafka."""

    def items() -> Iterator[Touchpoint]:
        for number in range(4_000):
            if number == 2_000:
                disturb()
            yield touchpoint(number, CHANNELS[number % 6])

    counts = produce(settings, items(), per_second(4_000), delivery_timeout=60)
    assert counts.acknowledged == counts.sent == 4_000
    decoded = [record.touchpoint() for record in found(settings)]
    ids = sorted(one.event_id for one in decoded if isinstance(one, Touchpoint))
    assert ids == sorted(f"e{number}" for number in range(4_000))


def test_a_broker_that_stands_still_for_a_while_loses_and_doubles_nothing(
    own_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    pid = own_kafka.pid
    assert pid is not None
    wake = threading.Timer(2, os.kill, (pid, signal.SIGCONT))

    def disturb() -> None:
        os.kill(pid, signal.SIGSTOP)
        wake.start()

    try:
        sent_through(fresh(own_kafka.bootstrap, tmp_path), disturb)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    own_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    settings = fresh(own_kafka.bootstrap, tmp_path)
    address = own_kafka.bootstrap
    restarted = threading.Thread(target=lambda: (own_kafka.stop(), own_kafka.start()))

    def disturb() -> None:
        assert own_kafka.pid is not None
        os.kill(own_kafka.pid, signal.SIGKILL)
        restarted.start()

    sent_through(settings, disturb)
    restarted.join()
    assert own_kafka.bootstrap == address
    assert held(settings) == 4_000
