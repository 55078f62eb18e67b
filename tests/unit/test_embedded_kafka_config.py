from pathlib import Path

import pytest

from deploy.embedded.java import find_java, java_version
from deploy.embedded.kafka_config import logging_properties, server_properties
from deploy.embedded.kafka_errors import EmbeddedKafkaError, PortTakenError
from deploy.embedded.kafka_home import new_cluster_id
from deploy.embedded.kafka_reasons import explain
from deploy.embedded.ports import HOST, Ports, is_free, pick, recall, remember

HOME = Path("/a/home")


def settings(text: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len(pairs) == len({name for name, _ in pairs})
    return {pair[0]: pair[1] for pair in pairs}


def test_the_node_listens_on_the_loopback_address_only() -> None:
    made = settings(server_properties(Ports(1111, 2222)))
    assert made["listeners"] == "PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222"
    assert made["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1111"
    assert made["controller.quorum.voters"] == "1@127.0.0.1:2222"


def test_one_node_can_hold_every_internal_topic() -> None:
    made = settings(server_properties(Ports(1, 2)))
    replicas = {name: value for name, value in made.items() if name.endswith(("replication.factor", "min.isr"))}
    assert replicas
    assert set(replicas.values()) == {"1"}
    assert made["auto.create.topics.enable"] == "false"
    assert int(made["replica.fetch.max.bytes"]) >= int(made["message.max.bytes"])


def test_the_log_is_bounded() -> None:
    made = settings(logging_properties(3))
    assert made["appender.file.policies.size.size"] == "3MB"
    assert made["appender.file.strategy.max"] == "1"


def test_cluster_ids_are_kafkas_and_never_look_like_an_option() -> None:
    made = [new_cluster_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(len(one) == 22 and not one.startswith("-") for one in made)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
        ("no java here", None),
    ],
)
def test_java_says_its_version(text: str, version: int | None) -> None:
    assert java_version(text) == version


def fake_java(directory: Path, version: str) -> Path:
    program = directory / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_a_java_of_ones_own_is_taken_by_program_or_by_home(tmp_path: Path) -> None:
    program = fake_java(tmp_path, "21.0.1")
    assert find_java(str(program)) == program
    assert find_java(str(tmp_path)) == program


def test_the_systems_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java("system") == program
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_java("system") == program
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(EmbeddedKafkaError, match="no Java is installed"):
        find_java("system")


def test_javas_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match="is Java 11, too old"):
        find_java(str(fake_java(tmp_path / "old", "11.0.2")))
    with pytest.raises(EmbeddedKafkaError, match="there is no Java at"):
        find_java(str(tmp_path / "nowhere"))
    broken = fake_java(tmp_path / "broken", "17")
    broken.write_text("not a program", encoding="utf-8")
    with pytest.raises(EmbeddedKafkaError, match="does not run"):
        find_java(str(broken))


def test_ports_are_remembered_and_a_damaged_note_is_forgotten(tmp_path: Path) -> None:
    note = tmp_path / "ports.json"
    assert recall(note) == Ports()
    remember(note, Ports(1234, 1235))
    assert recall(note) == Ports(1234, 1235)
    for damaged in ("", "{", "[]", '{"broker": "x", "controller": 1}'):
        note.write_text(damaged, encoding="utf-8")
        assert recall(note) == Ports()


def test_a_remembered_port_is_taken_again_only_when_free() -> None:
    from socket import create_server

    with create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        assert not is_free(taken)
        assert pick(taken) != taken
    port = pick(0)
    assert pick(port) == port
    assert pick(port, avoid=frozenset({port})) != port


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("ERROR x\njava.io.IOException: No space left on device\n", "no space left on the disk of /a/home"),
        ("KafkaException: Failed to acquire lock on file .lock in /a/home", "another Kafka runs on this home"),
        ("java.nio.file.AccessDeniedException: /a/home/kafka/data", "Kafka may not write to /a/home"),
        ("java.lang.OutOfMemoryError: Java heap space", "heap of 64 MiB"),
        ("java.lang.UnsupportedClassVersionError: kafka/Kafka", "too old"),
        (
            "INFO fine\n2026 ERROR something new\nmore\n",
            r"did not start \(2026 ERROR something new\): read .*server.log",
        ),
        ("", "wrote nothing"),
    ],
)
def test_reasons_are_read_from_the_log(log: str, said: str) -> None:
    error = explain(log, HOME, heap_mb=64)
    assert "\n" not in str(error)
    assert error.advice
    with pytest.raises(EmbeddedKafkaError, match=said):
        raise error


def test_a_taken_port_is_named() -> None:
    error = explain("KafkaException: Socket server failed to bind to 127.0.0.1:9092: Address already in use.", HOME, 64)
    assert isinstance(error, PortTakenError)
    assert error.port == 9092


def test_a_silent_log_on_a_full_disk_means_the_disk() -> None:
    assert "no space left" in str(explain("", HOME, 64, disk_full=True))
