"""Inserts blocks by letting the engine read them from a pipe: in bounded memory, and with every error of the engine."""

import fcntl
import os
import select
import threading
from contextlib import suppress

from deploy.embedded.clickhouse_engine import Answer, EngineError, Session
from deploy.embedded.clickhouse_statements import Statement

_CAPACITY = 1 << 20
_LOOK_EVERY_MS = 100
# One column and one row, and then nothing: the engine gives the whole insert up over it.
_BROKEN_BLOCK = b"\x01\x01"
_LOGICAL_ERROR = 49
_NOTHING = Answer(b"", 0, 0, 0)


class Insert:
    """An INSERT that takes blocks; nothing of it counts until `finish` (but see `cancel`)."""

    def __init__(self, session: Session, statement: Statement, *, checked: bool = False) -> None:
        """Raises EngineError when there is no such table or column, unless that is `checked` already."""
        if not checked:
            session.check_insert(statement.sql + b" " + statement.settings)
        self._session = session
        self._statement = statement
        self._thread: threading.Thread | None = None
        self._read_end = self._write_end = -1
        self._outcome: Answer | BaseException = _NOTHING

    def append(self, raw: bytes) -> None:
        """Hand over one block; waits while the engine is behind. Raises EngineError when the engine has refused."""
        if self._thread is None:
            self._thread = self._start()
        self._write(raw)

    def finish(self) -> Answer:
        """Write everything; when this returns the rows are stored, when it raises EngineError they were refused."""
        self._close()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Give the insert up. Of a very long one (over a million rows) parts may be stored already."""
        if self._write_end >= 0:
            with suppress(EngineError):
                self._write(_BROKEN_BLOCK)
        self._close()

    def _start(self) -> threading.Thread:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):
                fcntl.fcntl(self._write_end, fcntl.F_SETPIPE_SZ, _CAPACITY)
        source = f" FROM INFILE '/dev/fd/{self._read_end}' COMPRESSION 'none' ".encode()
        sql = self._statement.sql + source + self._statement.settings + b" FORMAT Native"
        self._outcome = EngineError(_LOGICAL_ERROR, "The engine gave no answer to the insert")
        thread = threading.Thread(target=self._run, args=(sql,), name="insert", daemon=True)
        thread.start()
        return thread

    def _run(self, sql: bytes) -> None:
        try:
            self._outcome = self._session.run(sql)
        except EngineError as error:
            self._outcome = error

    def _write(self, raw: bytes) -> None:
        rest = memoryview(raw)
        poll = select.poll()
        poll.register(self._write_end, select.POLLOUT)
        while rest:
            if self._thread is None or not self._thread.is_alive():
                self.finish()
                raise EngineError(_LOGICAL_ERROR, "The engine ended the insert before its last block")
            if poll.poll(_LOOK_EVERY_MS):
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._write_end, rest) :]

    def _close(self) -> None:
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._read_end >= 0:
            os.close(self._read_end)
            self._read_end = -1
