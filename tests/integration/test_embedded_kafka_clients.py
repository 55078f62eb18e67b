"""The pinned Kafka serves every client library that this project uses."""

import asyncio
import os
import sys
import textwrap
from collections.abc import Coroutine, Iterator
from pathlib import Path
from subprocess import Popen
from typing import TypeVar
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPythonPartition

from deploy.embedded.kafka import EmbeddedKafka, KafkaOptions
from tests.harness.waiting import until

T = TypeVar("T")


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedKafka(KafkaOptions(tmp_path_factory.mktemp("clients"))) as kafka:
        yield kafka.bootstrap


@pytest.fixture
def topic(bootstrap: str) -> str:
    name = f"cx.test.{uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])
    finally:
        admin.close()
    return name


def within_a_minute(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


async def read(bootstrap: str, topic: str, count: int, isolation: str = "read_committed") -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation
    )
    found: list[bytes] = []
    async with asyncio.timeout(30):
        await consumer.start()
        try:
            while len(found) < count:
                batches = await consumer.getmany(timeout_ms=200)
                found += [record.value for records in batches.values() for record in records]
        finally:
            await consumer.stop()
    return found


def test_admin_creates_lists_and_configures_topics(bootstrap: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        assert topic in admin.list_topics()
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"cleanup.policy": "compact"})
        admin.alter_configs([resource])
        until(lambda: "compact" in str(admin.describe_configs([resource])), 10, "the new cleanup policy")
        admin.delete_topics([topic])
        until(lambda: topic not in admin.list_topics(), 10, "the topic is gone")
    finally:
        admin.close()


def test_topics_are_not_made_by_accident(bootstrap: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        assert not consumer.partitions_for_topic(f"typo.{uuid4().hex}")
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", [None, "gzip", "lz4", "zstd"])
def test_kafka_python_writes_reads_and_keeps_commit_metadata(bootstrap: str, topic: str, codec: str | None) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=codec)
    sent = {f"value {number}".encode() for number in range(200)}
    for value in sent:
        producer.send(topic, value)
    producer.flush(30)
    producer.close()
    group = uuid4().hex
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    got: set[bytes] = set()

    def all_read() -> bool:
        got.update(record.value for records in consumer.poll(200).values() for record in records)
        return got == sent

    until(all_read, 30, "all records through kafka-python")
    partition = KafkaPythonPartition(topic, 0)
    consumer.commit({partition: OffsetAndMetadata(1, "planned 1-7", -1)})
    assert consumer.committed(partition, metadata=True).metadata == "planned 1-7"
    consumer.close()


def test_a_message_of_15_mebibytes_passes(bootstrap: str, topic: str) -> None:
    large = os.urandom(15 * 1024 * 1024)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=len(large) + 4096)
    producer.send(topic, large).get(30)
    producer.close()
    assert within_a_minute(read(bootstrap, topic, 1)) == [large]


def test_committed_reads_see_whole_transactions_only(bootstrap: str, topic: str) -> None:
    async def scenario() -> tuple[list[bytes], list[bytes], int]:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=uuid4().hex)
        await producer.start()
        group = uuid4().hex
        try:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"aborted", partition=0)
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(topic, b"committed", partition=0)
                await producer.send_offsets_to_transaction({TopicPartition(topic, 1): 42}, group)
        finally:
            await producer.stop()
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group)
        await consumer.start()
        try:
            offset = await consumer.committed(TopicPartition(topic, 1))
        finally:
            await consumer.stop()
        everything = await read(bootstrap, topic, 2, "read_uncommitted")
        return await read(bootstrap, topic, 1), everything, offset

    committed, everything, offset = within_a_minute(scenario())
    assert (committed, sorted(everything), offset) == ([b"committed"], [b"aborted", b"committed"], 42)


def test_a_zombie_is_fenced(bootstrap: str, topic: str) -> None:
    async def scenario() -> list[bytes]:
        name = uuid4().hex
        zombie = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
        await zombie.start()
        await zombie.begin_transaction()
        await zombie.send_and_wait(topic, b"from the zombie", partition=0)
        heir = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
        await heir.start()
        async with heir.transaction():
            await heir.send_and_wait(topic, b"from the heir", partition=0)
        await heir.stop()
        with pytest.raises(ProducerFenced):
            await zombie.send_and_wait(topic, b"again", partition=0)
        await zombie.stop()
        return await read(bootstrap, topic, 1)

    assert within_a_minute(scenario()) == [b"from the heir"]


FAUST_WORKER = """
    import sys
    from pathlib import Path

    import faust

    bootstrap, topic, group, found, datadir = sys.argv[1:6]
    app = faust.App(group, broker=f"kafka://{bootstrap}", datadir=datadir, topic_disable_leader=True,
                    consumer_auto_offset_reset="earliest", broker_session_timeout=6, broker_heartbeat_interval=2)
    source = app.topic(topic, value_type=bytes, value_serializer="raw")

    @app.agent(source)
    async def collect(values):
        async for value in values:
            with Path(found).open("ab") as file:
                file.write(value + b"\\n")

    sys.argv = ["worker", "worker", "--without-web", "-l", "warn"]
    app.main()
"""


def test_faust_consumes(bootstrap: str, topic: str, tmp_path: Path) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    sent = {f"value {number}".encode() for number in range(100)}
    for value in sent:
        producer.send(topic, value)
    producer.flush(30)
    producer.close()
    script, found = tmp_path / "worker.py", tmp_path / "found"
    script.write_text(textwrap.dedent(FAUST_WORKER), encoding="utf-8")
    found.touch()
    with (tmp_path / "output").open("wb") as output:
        command = [sys.executable, str(script), bootstrap, topic, uuid4().hex, str(found), str(tmp_path)]
        worker = Popen(command, stdout=output, stderr=output)
    try:
        until(lambda: set(found.read_bytes().splitlines()) == sent, 60, "Faust has read every record")
    finally:
        worker.kill()
        worker.wait(10)
