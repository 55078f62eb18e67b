"""Where the embedded ClickHouse keeps its things, and what it is told at the start."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from deploy.embedded.clickhouse_errors import already_running, not_writable
from deploy.embedded.files import write_atomically

_MOST_MEMORY = 4 << 30
_MARK_CACHE = 256 << 20
_CONFIG = """<clickhouse>
    <max_server_memory_usage>{memory}</max_server_memory_usage>
    <mark_cache_size>{marks}</mark_cache_size>
    <timezone>UTC</timezone>
    <merge_tree>
        <merge_selector_base>10</merge_selector_base>
    </merge_tree>
</clickhouse>
"""


@dataclass(frozen=True, slots=True)
class ClickHouseOptions:
    """What to run: the home, the port (0: the home's last one, or a free one), the password of the user `default`.

    `memory_bytes` is all that the engine may take; 0 means half of the machine's memory, 4 GiB at most.
    """

    home: Path
    port: int = 0
    password: str = field(default="", repr=False)
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ClickHouseHome:
    """The folder `clickhouse` of a home."""

    root: Path

    @classmethod
    def of(cls, options: ClickHouseOptions) -> "ClickHouseHome":
        """The one that these options mean."""
        return cls(options.home.expanduser().absolute() / "clickhouse")

    @property
    def data(self) -> Path:
        """The engine's own folder."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.root / "server.log"

    @property
    def config(self) -> Path:
        """The engine's configuration, written at every start."""
        return self.root / "config.xml"

    @property
    def ports(self) -> Path:
        """The port of the last start."""
        return self.root / "ports.json"

    def prepare(self, memory_bytes: int) -> None:
        """Make the folders and the configuration; `memory_bytes` 0 means half of the machine's, 4 GiB at most."""
        memory = memory_bytes or min(_MOST_MEMORY, psutil.virtual_memory().total // 2)
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            write_atomically(self.config, _CONFIG.format(memory=memory, marks=min(_MARK_CACHE, memory // 8)))
        except OSError as error:
            raise not_writable(self.root, error.strerror or str(error)) from None

    def remembered_port(self) -> int:
        """The port of the last start, or 0."""
        try:
            return int(json.loads(self.ports.read_text(encoding="utf-8"))["native"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0

    def remember_port(self, port: int) -> None:
        """Note the port for the next start."""
        write_atomically(self.ports, json.dumps({"native": port}) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Held by the one process that serves these data; the system frees it when that process ends in any way."""
        descriptor = os.open(self.root / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise already_running(self.root) from None
            yield
        finally:
            os.close(descriptor)
