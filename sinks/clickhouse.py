"""ClickHouse, through clickhouse-driver and with every setting that a guarantee rests on sent along."""

import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from clickhouse_driver import Client
from clickhouse_driver.block import ColumnOrientedBlock
from clickhouse_driver.errors import (
    Error,
    ErrorCodes,
    NetworkError,
    ServerException,
    SocketTimeoutError,
    TypeMismatchError,
)

from pipeline import crash, endpoints
from pipeline.config import Settings
from sinks.native import stream

ONE_BLOCK: Final = 1 << 30
CONNECT_TIMEOUT_S: Final = 3
# Defaults differ between versions and have changed twice; sent as important, so that a server that does not know one refuses.
INSERT_SETTINGS: Final = {
    "async_insert": 0,
    "optimize_on_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 1000,
    # One insert is one block under one token: nothing here may cut it.
    "max_insert_block_size": ONE_BLOCK,
    "max_insert_threads": 1,
}
# Trouble that passes by itself: memory, too many parts, too many queries, read-only, timeouts, network, quorum, shutting down.
PASSING_CODES: Final = frozenset(
    {
        3,
        23,
        24,
        74,
        75,
        159,
        164,
        198,
        202,
        203,
        209,
        210,
        225,
        236,
        241,
        242,
        243,
        252,
        279,
        285,
        286,
        319,
        373,
        394,
        425,
        439,
    }
    | {473, 499, 999}
)
# About the rows and not about the table: cannot be parsed or converted, out of range, null, sizes of nested arrays, constraints.
VALUE_CODES: Final = frozenset(
    {6, 26, 27, 38, 41, 53, 69, 70, 72, 128, 131, 190, 321, 349, 376, 395, 407, 441, 467, 469, 675, 676, 691}
)
_NAMED_SINCE: Final = {
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    675: "CANNOT_PARSE_IPV4",
    676: "CANNOT_PARSE_IPV6",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
# What the driver raises for values that it cannot write, found by fuzzing its columns.
_UNWRITABLE: Final = (struct.error, ValueError, TypeError, AttributeError, LookupError, OverflowError)
_CODE_NAMES: Final = {code: name for name, code in vars(ErrorCodes).items() if isinstance(code, int)} | _NAMED_SINCE


class Unavailable(ConnectionError):
    """ClickHouse does not answer or cannot take it now; the same again later may do. The outcome is unknown."""


class Refused(Exception):
    """ClickHouse says no, and will say no again. `code` is ClickHouse's own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class RowsRefused(Exception):
    """The values of these rows cannot be stored, and nothing of the insert is. `why` is a code: values may be personal."""

    def __init__(self, why: str) -> None:
        super().__init__(f"rows are refused: {why}")
        self.why = why


class _Client(Client):  # type: ignore[misc]
    """The driver's client, with the moments of an insert at which a process may die."""

    def send_data(self, sample_block: Any, data: Any, types_check: bool = False, columnar: bool = True) -> int:
        """One block, of columns as they are, and the empty one that ends an insert."""
        crash.here("sink", "inserting")
        rows = stream.send(self.connection, sample_block.columns_with_types, data)
        self.receive_profile_events()
        self.connection.send_data(ColumnOrientedBlock())
        self.receive_profile_events()
        crash.here("sink", "inserting")
        return rows

    def receive_profile_events(self) -> None:
        """Called when a block is on its way and the insert has not been ended yet."""
        crash.here("sink", "inserting")
        super().receive_profile_events()


class ClickHouse:
    """One connection, made when it is needed and made again after trouble. Not for two threads at once, but for `hang_up`."""

    def __init__(self, settings: Settings, *, database: str | None = None) -> None:
        host, port = endpoints.clickhouse(settings)
        compression = False if settings.clickhouse_compression == "none" else settings.clickhouse_compression
        self.address = f"{host}:{port}"
        self._hung_up = False
        self._client = _Client(
            host,
            port=port,
            user=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=settings.clickhouse_database if database is None else database,
            compression=compression,
            client_name="touchstream",
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=120,
            settings_is_important=True,
        )

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query. Raises Unavailable, Refused."""
        rows = self._guarded(sql, parameters)
        return rows if isinstance(rows, list) else []

    def columns(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The same, a tuple for each column; empty without rows. Raises Unavailable, Refused."""
        found = self._guarded(sql, parameters, columnar=True)
        return found if isinstance(found, list) else []

    def insert(self, table: str, columns: Sequence[str], data: Sequence[Any], token: str) -> None:
        """Insert rows, given by columns, lists or arrays of Arrow, once per token, however often it is called.

        Raises Unavailable, RowsRefused, Refused.
        """
        sql = f"INSERT INTO {table} ({', '.join(f'`{name}`' for name in columns)}) VALUES"
        try:
            self._guarded(sql, data, columnar=True, settings={**INSERT_SETTINGS, "insert_deduplication_token": token})
        except Refused as refused:
            if refused.code not in VALUE_CODES:
                raise
            raise RowsRefused(f"{_CODE_NAMES.get(refused.code, 'CODE')} ({refused.code})") from None
        except _UNWRITABLE as error:
            raise RowsRefused(f"cannot be written ({type(error).__name__})") from None

    def hang_up(self) -> None:
        """Give up whatever is waited for, and whatever is asked later: it raises Unavailable. For another thread."""
        self._hung_up = True
        waiting = self._client.connection.socket
        if waiting is not None:
            with suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()

    def _guarded(self, sql: str, parameters: Any = None, **options: Any) -> Any:
        if self._hung_up:
            raise Unavailable(f"ClickHouse at {self.address} is not asked any more")
        try:
            return self._client.execute(sql, parameters, **options)
        except TypeMismatchError:
            raise TypeError("a value of another type than its column") from None
        except (TimeoutError, NetworkError, SocketTimeoutError, EOFError, OSError) as error:
            self._client.disconnect()
            raise Unavailable(f"ClickHouse at {self.address} does not answer: {_first_line(error)}") from error
        except ServerException as error:
            if error.code in PASSING_CODES:
                raise Unavailable(f"ClickHouse at {self.address} cannot take it now: {_first_line(error)}") from error
            raise Refused(f"ClickHouse refuses: {_first_line(error)}", error.code) from error
        except Error as error:
            self._client.disconnect()
            raise Unavailable(f"ClickHouse at {self.address}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", "") or str(error) or type(error).__name__
    return str(text).removeprefix("DB::Exception: ").partition("Stack trace:")[0].strip().splitlines()[0][:300]
