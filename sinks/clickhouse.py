"""ClickHouse, through clickhouse-driver and with every setting that a guarantee rests on sent along."""

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, NetworkError, ServerException, SocketTimeoutError

from pipeline import endpoints
from pipeline.config import Settings

# Defaults differ between versions and have changed twice; sent as important, so that a server that does not know one refuses.
INSERT_SETTINGS: Final = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 1000,
}
# Trouble that passes by itself: memory, too many parts, too many queries, read-only, timeouts, network, shutting down.
PASSING_CODES: Final = frozenset(
    {3, 74, 159, 164, 202, 203, 209, 210, 236, 241, 242, 243, 252, 319, 394, 425, 439, 499, 999}
)


class Unavailable(ConnectionError):
    """ClickHouse does not answer or cannot take it now; the same again later may do. The outcome is unknown."""


class Refused(Exception):
    """ClickHouse says no, and will say no again. `code` is ClickHouse's own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class ClickHouse:
    """One connection, made when it is needed and made again after trouble. Not for use by two threads at once."""

    def __init__(self, settings: Settings, *, database: str | None = None) -> None:
        host, port = endpoints.clickhouse(settings)
        compression = False if settings.clickhouse_compression == "none" else settings.clickhouse_compression
        self.address = f"{host}:{port}"
        self._client = Client(
            host,
            port=port,
            user=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=settings.clickhouse_database if database is None else database,
            compression=compression,
            client_name="touchstream",
            connect_timeout=5,
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

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], token: str) -> None:
        """Insert rows once per token, however often it is called. Raises Unavailable, Refused."""
        sql = f"INSERT INTO {table} ({', '.join(f'`{name}`' for name in columns)}) VALUES"
        data = list(zip(*rows, strict=True))
        self._guarded(sql, data, columnar=True, settings={**INSERT_SETTINGS, "insert_deduplication_token": token})

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()

    def _guarded(self, sql: str, parameters: Any = None, **options: Any) -> Any:
        try:
            return self._client.execute(sql, parameters, **options)
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
