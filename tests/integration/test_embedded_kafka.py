"""The embedded Kafka's life: start, restart, crash, and every way in which a start fails."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from deploy.embedded.kafka import EmbeddedKafka, EmbeddedKafkaError, KafkaOptions
from deploy.embedded.kafka_jars import cache_directory, ensure_jars, load_manifest
from deploy.embedded.ports import HOST
from tests.harness.waiting import until

RECORDS = 300


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "hömé, of mine"


def write(bootstrap: str) -> tuple[str, set[bytes]]:
    """Make a topic and write to it; only what the broker acknowledged is returned."""
    topic = f"cx.{uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    values = {f"value {number}".encode() for number in range(RECORDS)}
    for sent in [producer.send(topic, value) for value in values]:
        sent.get(30)
    producer.close()
    return topic, values


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(record.value for records in consumer.poll(200).values() for record in records)
        return len(found) >= count

    until(enough, 30, f"{count} records of {topic}")
    consumer.close()
    return found


def test_a_restart_keeps_records_address_and_cluster(home: Path) -> None:
    with EmbeddedKafka(KafkaOptions(home)) as first:
        address = first.bootstrap
        topic, values = write(address)
        cluster = (home / "kafka" / "data" / "meta.properties").read_text()
    assert not first.alive
    with EmbeddedKafka(KafkaOptions(home)) as second:
        assert second.bootstrap == address
        assert sorted(read(address, topic, RECORDS)) == sorted(values)
    assert (home / "kafka" / "data" / "meta.properties").read_text() == cluster


def test_kill_nine_loses_nothing_that_was_acknowledged(home: Path) -> None:
    kafka = EmbeddedKafka(KafkaOptions(home))
    topic, values = write(kafka.start())
    assert kafka.pid is not None
    os.kill(kafka.pid, signal.SIGKILL)
    until(lambda: not kafka.alive, 10, "Kafka is dead")
    kafka.stop()
    with EmbeddedKafka(KafkaOptions(home)) as again:
        assert sorted(read(again.bootstrap, topic, RECORDS)) == sorted(values)


def test_both_listeners_are_on_the_loopback_address_only(home: Path) -> None:
    with EmbeddedKafka(KafkaOptions(home)) as kafka:
        listening = [c for c in psutil.Process(kafka.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert len(listening) == 2
        assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {HOST}


def test_a_port_that_was_asked_for_and_is_taken(home: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedKafkaError, match=f"port {port} is taken.*TOUCHSTREAM_KAFKA_PORT"):
            EmbeddedKafka(KafkaOptions(home, port=port)).start()


def test_a_port_that_is_lost_between_the_look_and_the_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka itself finds the port taken; the reason is read from its log."""
    monkeypatch.setattr("deploy.embedded.kafka.is_free", bool)
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedKafkaError, match=f"port {port} is taken"):
            EmbeddedKafka(KafkaOptions(home, port=port)).start()


def test_two_on_one_home(home: Path) -> None:
    with EmbeddedKafka(KafkaOptions(home)) as first:
        with pytest.raises(EmbeddedKafkaError, match="another Kafka runs on this home"):
            EmbeddedKafka(KafkaOptions(home)).start()
        assert first.alive


def test_a_data_directory_that_another_kafka_has_locked(home: Path) -> None:
    with EmbeddedKafka(KafkaOptions(home)):
        pass
    with (home / "kafka" / "data" / ".lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedKafkaError, match="another Kafka runs on this home"):
            EmbeddedKafka(KafkaOptions(home)).start()


def test_a_heap_that_is_too_small(home: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match="heap of 1 MiB"):
        EmbeddedKafka(KafkaOptions(home, heap_mb=1)).start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("left_kib", [0, 12, 28])
def test_a_full_disk(small_disk: Path, left_kib: int) -> None:
    (small_disk / "ballast").write_bytes(bytes(4 * 1024 * 1024 - left_kib * 1024))
    with pytest.raises(EmbeddedKafkaError, match="no space left on the disk of"):
        EmbeddedKafka(KafkaOptions(small_disk)).start()


def test_jars_from_a_directory_and_a_damaged_one(home: Path, tmp_path: Path) -> None:
    ensure_jars()
    manifest = load_manifest()
    given = copytree(cache_directory(manifest), tmp_path / "jars")
    with EmbeddedKafka(KafkaOptions(home, jars_dir=given)) as kafka:
        assert any(str(given) in word for word in psutil.Process(kafka.pid).cmdline())
    with (given / manifest.jars[-1].file_name).open("r+b") as jar:
        jar.write(b"not a jar")
    with pytest.raises(EmbeddedKafkaError, match=f"checksum of {re.escape(manifest.jars[-1].file_name)}"):
        EmbeddedKafka(KafkaOptions(home, jars_dir=given)).start()


def test_a_start_is_given_up_when_asked(home: Path) -> None:
    kafka = EmbeddedKafka(KafkaOptions(home), cancelled=lambda: True)
    with pytest.raises(EmbeddedKafkaError, match="stopped before it was ready"):
        kafka.start()
    assert not kafka.alive


def command(home: Path) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "deploy.embedded.kafka", "--home", str(home)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def java_of(home: Path) -> list[psutil.Process]:
    mark = f"-Dtouchstream.kafka.home={home}"
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(home: Path, number: signal.Signals) -> None:
    serving = command(home)
    assert serving.stdout is not None
    address = serving.stdout.readline().strip()
    topic, values = write(address)
    assert len(read(address, topic, RECORDS)) == len(values)
    serving.send_signal(number)
    assert serving.wait(30) == os.EX_OK
    assert java_of(home) == []
    assert (home / "kafka" / "data" / ".kafka_cleanshutdown").exists()


def test_the_command_says_in_one_line_that_kafka_died(home: Path) -> None:
    serving = command(home)
    assert serving.stdout is not None
    serving.stdout.readline()
    java_of(home)[0].kill()
    assert serving.wait(30) == os.EX_UNAVAILABLE


@pytest.mark.skipif(sys.platform != "linux", reason="the bond to the parent is Linux's")
def test_kafka_ends_with_a_parent_that_is_killed(home: Path) -> None:
    serving = command(home)
    assert serving.stdout is not None
    serving.stdout.readline()
    serving.kill()
    serving.wait(10)
    until(lambda: not java_of(home), 30, "Kafka has ended too")
    assert (home / "kafka" / "data" / ".kafka_cleanshutdown").exists()


ORPHAN_MAKER = """
import os, sys, threading
from pathlib import Path
from deploy.embedded.kafka import EmbeddedKafka, KafkaOptions
kafka = EmbeddedKafka(KafkaOptions(Path(sys.argv[1])))
starter = threading.Thread(target=kafka.start)
starter.start()
starter.join()
print(kafka.pid, flush=True)
os._exit(1)
"""


def test_a_leftover_is_ended_at_the_next_start(home: Path) -> None:
    """Started from another thread than the main one Kafka has no bond, so it outlives its parent."""
    made = subprocess.run([sys.executable, "-c", ORPHAN_MAKER, str(home)], capture_output=True, text=True, check=False)
    orphan = int(made.stdout)
    assert [process.pid for process in java_of(home)] == [orphan]
    with EmbeddedKafka(KafkaOptions(home)) as kafka:
        assert [process.pid for process in java_of(home)] == [kafka.pid]
        assert kafka.pid != orphan
