"""The ClickHouse engine inside this process, by way of chdb: sessions, statements, streams of blocks."""

import itertools
import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chdb import _chdb

from deploy.embedded.clickhouse_literals import backquoted, set_statement, valid_name
from deploy.embedded.clickhouse_merges import yielding
from deploy.embedded.native_protocol import Setting

T = TypeVar("T")

_connect: Callable[[str], Any] = _chdb.connect  # type: ignore[attr-defined]

UNKNOWN_SETTING = 115
CANCELLED = 394
_BAD_ARGUMENTS = 36
_NO_STREAM = "Streaming query is not supported"
_ERROR = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.DOTALL)
_ERROR_TAIL = re.compile(r"(?: \([A-Z0-9_]+\))?(?: \(version [^)]*\))?\.?\s*\Z")
_UNNAMED_ERROR = 1002
_UNKNOWN_NAME = re.compile(r"Unknown setting '([^']*)'")
_OWN_SETTINGS = ("database", "log_comment", "implicit_select")
# Types as blocks have them; for people they are written over several lines.
_DESCRIBED_PLAINLY = (
    b" SETTINGS print_pretty_type_names = 0, describe_include_subcolumns = 0, describe_compact_output = 0"
)
_CHANGED = "SELECT name, value FROM system.settings WHERE changed"


class EngineError(Exception):
    """ClickHouse refused a statement; `code` and `message` are its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _as_engine_error(error: Exception) -> EngineError:
    # A message that quotes bytes which are not UTF-8 arrives as a failure to decode it; the bytes are inside.
    text = bytes(error.object).decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else str(error)
    found = _ERROR.search(text)
    if found is None:
        return EngineError(_UNNAMED_ERROR, text)
    return EngineError(int(found.group(1)), _ERROR_TAIL.sub("", found.group(2)))


def _ask(call: Callable[..., T], *arguments: object, **named: object) -> T:
    """Call chdb, with its errors as EngineError."""
    try:
        return call(*arguments, **named)
    except (RuntimeError, UnicodeDecodeError) as error:
        raise _as_engine_error(error) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """Blocks in `FORMAT Native` (all of a result or one piece of it) and what was read and written for it."""

    raw: bytes
    rows: int
    read_rows: int
    read_bytes: int
    written_rows: int = 0
    written_bytes: int = 0


def _answer(result: Any) -> Answer:
    return Answer(
        result.bytes(),
        result.rows_read(),
        result.storage_rows_read(),
        result.storage_bytes_read(),
        result.rows_written(),
        result.bytes_written(),
    )


@dataclass(slots=True)
class Layout:
    """Counts the statements, of whatever session, after which a table may look other than before."""

    changes: int = 0

    def changed(self) -> None:
        """One has ended, well or not. Two at once may count as one."""
        self.changes += 1


class Session:
    """What one client sees: its database, its settings, its temporary tables. One statement at a time."""

    def __init__(self, connect: Callable[[], Any], marker: str, database: str, layout: Layout) -> None:
        """Raises EngineError when there is no such database."""
        self.marker = marker
        self.layout = layout
        self.database = database
        self._connect = connect
        self._lasting: dict[str, str] = {}
        self._applied: dict[str, str] = {}
        self._connection = self._open()

    def close(self) -> None:
        """Release it; no statement may be running."""
        self._connection.close()

    def run(self, sql: bytes) -> Answer:
        """Run a statement to its end."""
        return _answer(_ask(self._connection.query, sql, "Native", params={}))

    def stream(self, sql: bytes) -> Generator[Answer, None, None]:
        """Run a query and give its blocks as they are made; ends the query when the caller stops early."""
        try:
            handle = _ask(self._connection.send_query, sql, "Native", params={})
        except EngineError as error:
            if error.code != _BAD_ARGUMENTS or _NO_STREAM not in error.message:
                raise
            yield self.run(sql)
            return
        try:
            while True:
                piece = _answer(_ask(self._connection.streaming_fetch_result, handle))
                if not piece.rows:
                    break
                yield piece
        finally:
            with suppress(EngineError):
                _ask(self._connection.streaming_cancel_query, handle)

    def check_insert(self, sql: bytes) -> None:
        """Raise the EngineError that an INSERT into this table and these columns would get."""
        # Only to check: chdb's stream of blocks reports rows as written that a constraint, a view or a full disk refused.
        handle = _ask(self._connection.send_insert, sql, "Native")
        _ask(self._connection.insert_cancel, handle)

    def table(self, sql: bytes) -> tuple[list[dict[str, str]], list[list[Any]]]:
        """A small result as its columns ("name", "type") and its rows."""
        result = _ask(self._connection.query, sql, "JSONCompact", params={})
        try:
            parsed = json.loads(result.bytes())
        except ValueError:
            # A statement that is ended while it writes its result leaves half of one.
            raise EngineError(CANCELLED, "Query was cancelled") from None
        return parsed["meta"], parsed["data"]

    def described(self, sql: bytes) -> list[tuple[str, str]]:
        """The names and types of a query's columns, found beside a stream that may be open (without its tables)."""
        beside = Session(self._connect, self.marker, self.database, self.layout)
        with closing(beside):
            settings: dict[str, str | None] = {**self._lasting, **self._applied}
            if settings:
                beside.run(set_statement(settings))
            return [(name, kind) for name, kind, _ in beside.describe(b"(" + sql + b"\n)")]

    def describe(self, what: bytes) -> list[tuple[str, str, str]]:
        """Name, type and kind of default of each column of a table or of a query in brackets."""
        rows = self.table(b"DESCRIBE " + what + _DESCRIBED_PLAINLY)[1]
        return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]

    def statements_in(self, sql: bytes) -> int:
        """How many statements the text holds; 0 when it does not parse."""
        found = _ask(self._connection.classify_query, sql)
        return int(found["statement_count"])

    def use(self, sql: bytes) -> None:
        """Run a USE statement."""
        self.run(sql)
        self.database = str(self.table(b"SELECT currentDatabase()")[1][0][0])

    def set_lasting(self, sql: bytes) -> None:
        """Run a SET statement: what it sets stays until the client goes."""
        self.apply(())
        self.run(sql)
        self._lasting = {str(name): str(value) for name, value in self.table(_CHANGED.encode())[1]}
        for name in _OWN_SETTINGS:
            self._lasting.pop(name, None)

    def apply(self, settings: tuple[Setting, ...]) -> None:
        """Make these the settings of the next statement, and drop those of the last one."""
        wanted = {setting.name: setting.value for setting in settings if valid_name(setting.name)}
        important = {setting.name for setting in settings if setting.important}
        for name in important - wanted.keys():
            raise EngineError(UNKNOWN_SETTING, f"Unknown setting '{name}'")
        wanted.pop("log_comment", None)
        while wanted != self._applied:
            try:
                self._change_to(wanted)
            except EngineError as error:
                unknown = _UNKNOWN_NAME.search(error.message)
                if error.code != UNKNOWN_SETTING or unknown is None or unknown.group(1) in important:
                    raise
                if wanted.pop(unknown.group(1), None) is None:
                    raise

    def _change_to(self, wanted: dict[str, str]) -> None:
        changes: dict[str, str | None] = {name: self._lasting.get(name) for name in self._applied if name not in wanted}
        if changes:
            try:
                self.run(set_statement(changes))
            except EngineError:
                # What the last statement was given (readonly, say) forbids its own undoing.
                self._connection.close()
                self._connection = self._open()
            self._applied = {name: value for name, value in self._applied.items() if name in wanted}
        added = {name: value for name, value in wanted.items() if self._applied.get(name) != value}
        if added:
            self.run(set_statement(dict(added)))
        self._applied = dict(wanted)

    def _open(self) -> Any:
        connection = _ask(self._connect)
        own: dict[str, str | None] = {**self._lasting, "implicit_select": "0", "log_comment": self.marker}
        statements = [set_statement(own)]
        if self.database:
            statements.append(b"USE " + backquoted(self.database))
        try:
            for statement in statements:
                _ask(connection.query, statement, "Native", params={})
        except EngineError:
            connection.close()
            raise
        self._applied = {}
        return connection


class Engine:
    """ClickHouse on one data path. One per process: that is chdb's own limit."""

    def __init__(self, data: Path, config: Path) -> None:
        """Open or create the data; raises EngineError when that is not possible."""
        self._path = str(data)
        self._numbers = itertools.count(1)
        self.layout = Layout()
        self._merges_yield = False
        self._root = _ask(_connect, f"{data}?config-file={config}")
        self._admin = self.session("")
        self._admin_lock = threading.Lock()
        version, self.host = self._admin.table(b"SELECT version(), hostName()")[1][0]
        major, minor, patch = (int(part) for part in str(version).split(".")[:3])
        self.version = (major, minor, patch)

    def session(self, database: str) -> Session:
        """A new session in `database` ("" for the default one)."""
        self._merges_yield = self._merges_yield or yielding()
        return Session(lambda: _connect(self._path), f"connection {next(self._numbers)}", database, self.layout)

    def kill(self, marker: str) -> None:
        """Ask the statement that runs in the session with this marker to stop; nothing happens when there is none."""
        sql = f"KILL QUERY WHERE Settings['log_comment'] = '{marker}' ASYNC"
        with self._admin_lock, suppress(EngineError):
            self._admin.run(sql.encode())

    def close(self) -> None:
        """Close the data; no session may be in use."""
        self._admin.close()
        self._root.close()
