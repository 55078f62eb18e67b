"""Reading from ClickHouse: a few threads, each with a connection of its own, because the driver's is not to be shared."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException

from pipeline import endpoints
from pipeline.config import Settings

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]

READ_ONLY_ALREADY: Final = 164
"""ClickHouse's code for a user who may not change settings; such a user needs no guard of ours."""
TOO_SLOW: Final = (159, 160, 202, 209, 210)
"""Its codes for time that ran out and for too many queries at once."""


class Unavailable(Exception):
    """ClickHouse cannot be reached, or did not answer in time."""


class QueryFailed(Exception):
    """ClickHouse refused a query. Carries its code only: its text repeats the query."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ClickHouse refused a query (code {code})")
        self.code = code


class Source(Protocol):
    """Where rows come from."""

    async def rows(self, sql: str, parameters: Parameters | None = None) -> Sequence[Row]:
        """Run one reading query with bound parameters. Raises Unavailable and QueryFailed."""


class ClickHouse:
    """A source over a small pool of threads; `close` when done."""

    def __init__(self, settings: Settings, threads: int = 4, timeout_s: int = 5) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._guards: dict[str, int] = {"readonly": 1, "max_execution_time": timeout_s}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="clickhouse")
        self._own = threading.local()

    async def rows(self, sql: str, parameters: Parameters | None = None) -> Sequence[Row]:
        """Run one reading query with bound parameters. Raises Unavailable and QueryFailed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, sql, parameters)

    def close(self) -> None:
        """Let the threads go; queries that wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, sql: str, parameters: Parameters | None) -> Sequence[Row]:
        try:
            return self._execute(sql, parameters)
        except ServerException as error:
            if error.code == READ_ONLY_ALREADY and self._guards:
                self._guards = {}
                return self._run(sql, parameters)
            if error.code in TOO_SLOW:
                raise Unavailable(f"ClickHouse did not answer within {self._timeout_s} s") from None
            raise QueryFailed(error.code) from None
        except (Error, OSError, EOFError) as error:
            raise Unavailable(f"ClickHouse does not answer ({type(error).__name__})") from None
        except endpoints.NotRunning as error:
            raise Unavailable(str(error)) from None

    def _execute(self, sql: str, parameters: Parameters | None) -> Sequence[Row]:
        client = self._client()
        try:
            rows: Sequence[Row] = client.execute(sql, parameters or {}, settings=self._guards)
        except BaseException:
            self._own.client = None
            client.disconnect()
            raise
        return rows

    def _client(self) -> Client:
        # An embedded server that was started again may listen elsewhere, so the address is asked for at every connection.
        client = getattr(self._own, "client", None)
        if client is None:
            host, port = endpoints.clickhouse(self._settings)
            compression = self._settings.clickhouse_compression
            client = self._own.client = Client(
                host,
                port=port,
                user=self._settings.clickhouse_user,
                password=self._settings.clickhouse_password.get_secret_value(),
                database=self._settings.clickhouse_database,
                compression=False if compression == "none" else compression,
                connect_timeout=2,
                send_receive_timeout=self._timeout_s + 2,
                client_name="touchstream-serve",
            )
        return client
