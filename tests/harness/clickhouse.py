"""A ClickHouse for tests: the embedded one, and a real server when TOUCHSTREAM_TEST_CLICKHOUSE=host:port names one."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clickhouse_driver import Client

REAL_SERVER = os.environ.get("TOUCHSTREAM_TEST_CLICKHOUSE", "")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a ClickHouse listens."""

    host: str
    port: int

    @classmethod
    def at(cls, address: str) -> "Server":
        """The one at "host:port"."""
        host, _, port = address.rpartition(":")
        return cls(host, int(port))

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """A client that is disconnected at the end."""
        client = Client(self.host, port=self.port, **options)
        try:
            yield client
        finally:
            client.disconnect()

    @contextmanager
    def database(self) -> Iterator["Database"]:
        """A new database that is dropped at the end."""
        name = f"contract_{os.getpid()}_{next(_numbers)}"
        with self.client() as admin:
            admin.execute(f"CREATE DATABASE {name}")
        try:
            yield Database(self, name)
        finally:
            with self.client() as admin:
                admin.execute(f"DROP DATABASE IF EXISTS {name} SYNC")


@dataclass(frozen=True, slots=True)
class Database:
    """A database on a server."""

    server: Server
    name: str

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """A client in this database."""
        with self.server.client(database=self.name, **options) as client:
            yield client

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Run one statement with a client of its own."""
        with self.client() as client:
            return client.execute(*arguments, **options)
