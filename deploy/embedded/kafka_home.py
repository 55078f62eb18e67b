"""The files of the embedded Kafka inside a home."""

import base64
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.files import write_atomically
from deploy.embedded.java import java_environment
from deploy.embedded.kafka_config import logging_properties, server_properties
from deploy.embedded.kafka_errors import EmbeddedKafkaError
from deploy.embedded.kafka_reasons import explain
from deploy.embedded.ports import Ports

_FORMAT_TIMEOUT_S = 120
_ROOM_BYTES = 1024 * 1024
_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class KafkaHome:
    """Where everything is for `home`, an absolute path."""

    home: Path

    @property
    def directory(self) -> Path:
        return self.home / "kafka"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def output(self) -> Path:
        """What Java itself prints: written anew at every start."""
        return self.directory / "server.out"

    @property
    def ports(self) -> Path:
        return self.directory / "ports.json"

    @property
    def pid(self) -> Path:
        return self.directory / "kafka.pid"

    @property
    def lock(self) -> Path:
        return self.directory / "kafka.lock"

    def prepare(self) -> None:
        """Make the directories, and drop the libraries that a killed Java unpacked and left behind."""
        self.directory.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        (self.directory / "tmp").mkdir(exist_ok=True)

    def configure(self, ports: Ports) -> None:
        """Write the configuration for a start on `ports`."""
        write_atomically(self.properties, server_properties(ports))
        write_atomically(self.directory / "logging.properties", logging_properties())

    @property
    def is_formatted(self) -> bool:
        # Kafka writes this file last, in one step.
        return (self.data / "meta.properties").exists()

    def cluster_id(self) -> str:
        """The id of this home's cluster: made once, the same for ever."""
        path = self.directory / "cluster.id"
        if not path.exists():
            write_atomically(path, new_cluster_id() + "\n")
        return path.read_text(encoding="utf-8").strip()

    def disk_is_full(self) -> bool:
        """Whether there is no room left even for a log line or two."""
        return shutil.disk_usage(self.directory).free < _ROOM_BYTES

    def log_size(self) -> int:
        """Bytes in the log now: where a start's own lines will begin."""
        return self.log.stat().st_size if self.log.exists() else 0

    def written_since(self, offset: int) -> str:
        """What Java printed and what was logged from byte `offset` on (the end of it, if it is much)."""
        size = self.log_size()
        begin = offset if offset <= size else 0
        return _tail(self.log, begin) + _tail(self.output, 0)


def new_cluster_id() -> str:
    """A random id in Kafka's own form: 22 characters, not led by a dash, which its tool would take for an option."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def format_storage(kafka: KafkaHome, java: list[str], heap_mb: int) -> None:
    """Make the home's data directory one of Kafka's; `java` is the command line up to the class to run.

    Raises EmbeddedKafkaError when that fails.
    """
    tool = ["kafka.tools.StorageTool", "format", "--cluster-id", kafka.cluster_id(), "--ignore-formatted"]
    command = [*java, *tool, "--config", kafka.properties.name]
    try:
        done = subprocess.run(
            command,
            cwd=kafka.directory,
            env=java_environment(),
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        problem = f"Kafka's storage in {kafka.data} was not ready within {_FORMAT_TIMEOUT_S} seconds"
        raise EmbeddedKafkaError(problem, "look whether the disk or the machine is overloaded") from error
    if done.returncode != 0:
        raise explain(done.stdout + done.stderr, kafka.home, heap_mb, kafka.disk_is_full())


def _tail(path: Path, begin: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(begin, size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
