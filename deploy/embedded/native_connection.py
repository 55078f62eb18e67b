"""One client of the embedded ClickHouse: hello, then one statement after another."""

import hmac
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from deploy.embedded import native_protocol as protocol
from deploy.embedded.clickhouse_engine import CANCELLED, Answer, Engine, EngineError, Session
from deploy.embedded.clickhouse_inserts import KnownInserts, insert_columns, temporary_table
from deploy.embedded.clickhouse_pipe import Insert
from deploy.embedded.clickhouse_results import ResultBlocks
from deploy.embedded.clickhouse_statements import Kind, Statement, parse
from deploy.embedded.native_blocks import Block, Column, header_block
from deploy.embedded.native_frames import Method
from deploy.embedded.native_protocol import FromClient, Hello, Progress, Query
from deploy.embedded.native_reader import ProtocolError
from deploy.embedded.native_watch import Running, Watch
from deploy.embedded.native_wire import CancelledError, Wire

log = logging.getLogger(__name__)

USER = "default"
_HELLO_TIMEOUT_S = 30.0
_SYNTAX_ERROR = 62
_ABORTED = 236
_AUTHENTICATION_FAILED = 516
_UNSUPPORTED = 48
_TALKERS = (b"SHOW", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK")
_METHODS = {"LZ4": Method.LZ4, "LZ4HC": Method.LZ4, "ZSTD": Method.ZSTD, "NONE": Method.NONE}


@dataclass(frozen=True, slots=True)
class Services:
    """What every connection uses."""

    engine: Engine
    watch: Watch
    password: str


class Connection:
    """Speaks with one client until it goes. `busy` while a statement runs; `leaving` ends it after that statement."""

    def __init__(self, peer: socket.socket, services: Services) -> None:
        self.wire = Wire(peer)
        self.busy = False
        self.leaving = False
        self.known = KnownInserts(services.engine.layout)
        self._services = services
        self._awaiting_end_of_data = False

    def serve(self) -> None:
        """Serve the client; returns when it is gone or talks nonsense."""
        try:
            self.wire.peer.settimeout(_HELLO_TIMEOUT_S)
            session = self._greet()
            if session is None:
                return
            self.wire.peer.settimeout(None)
            with closing(session):
                while self._serve_packet(session):
                    pass
        except ProtocolError as error:
            log.warning("a client does not follow the protocol: %s", error)
        except (EOFError, OSError):
            return

    def _greet(self) -> Session | None:
        if self.wire.reader.varint() != FromClient.HELLO:
            raise ProtocolError("it did not begin with Hello")
        greeting = protocol.read_hello(self.wire.reader)
        try:
            self._admit(greeting)
            session = self._services.engine.session(greeting.database)
        except EngineError as error:
            self.wire.send(protocol.exception(error.code, error.message))
            return None
        self.wire.send(protocol.hello(self._services.engine.version, self._services.engine.host))
        return session

    def _admit(self, greeting: Hello) -> None:
        if greeting.revision < protocol.REVISION:
            raise EngineError(_UNSUPPORTED, f"Clients below protocol revision {protocol.REVISION} are not served")
        right = hmac.compare_digest(greeting.password.encode(), self._services.password.encode())
        if greeting.user != USER or not right:
            reason = "password is incorrect, or there is no user with such name"
            raise EngineError(_AUTHENTICATION_FAILED, f"{greeting.user}: Authentication failed: {reason}")

    def _serve_packet(self, session: Session) -> bool:
        kind = self.wire.reader.varint()
        if self.leaving and kind == FromClient.QUERY:
            self.wire.send(protocol.exception(_ABORTED, "The server is shutting down"))
            return False
        if kind == FromClient.PING:
            self.wire.send(protocol.pong())
        elif kind == FromClient.QUERY:
            self.busy = True
            try:
                self._serve_query(session)
            finally:
                self.busy = False
        elif kind == FromClient.DATA and self._awaiting_end_of_data:
            self._awaiting_end_of_data = bool(self.wire.read_data_body()[1].columns)
        elif kind != FromClient.CANCEL:
            raise ProtocolError(f"a packet of kind {kind} came where none was expected")
        return not self.leaving

    def _serve_query(self, session: Session) -> None:
        self._awaiting_end_of_data = False
        query = protocol.read_query(self.wire.reader)
        self.wire.compressed = query.compressed
        tables = self._read_tables()
        began = time.monotonic()
        running = Running(self.wire.peer, session.marker, self.wire.beat)
        if self.wire.reader.buffered[:1] == bytes([FromClient.CANCEL]):
            running.cancel(by_client=True)
        outcome = "done"
        answering = _Answering(self, session, running)
        try:
            with self._services.watch.over(running), _external(session, tables):
                answering.answer(query)
        except (EngineError, CancelledError) as error:
            outcome = self._refuse(answering, running, error)
        log.debug("%s: %s after %.3f s", session.marker, outcome, time.monotonic() - began)

    def _refuse(self, answering: "_Answering", running: Running, error: Exception) -> str:
        """Tell the client why there is no (whole) answer. Only a SELECT that it cancelled itself ends without an error."""
        if running.cancelled and not running.by_client:
            error = EngineError(_ABORTED, "The server is shutting down")
        elif running.cancelled and answering.only_reads:
            self.wire.send(protocol.end_of_stream())
            return "cancelled"
        elif not isinstance(error, EngineError):
            error = EngineError(CANCELLED, "Query was cancelled")
        assert isinstance(error, EngineError)
        self.wire.send(protocol.exception(error.code, error.message))
        return f"refused with code {error.code}"

    def _read_tables(self) -> list[tuple[str, Block]]:
        tables: list[tuple[str, Block]] = []
        while True:
            name, block = self.wire.read_data()
            if not block.columns:
                return tables
            tables.append((name, block))

    def read_rows(self) -> Iterator[Block]:
        """The blocks of an INSERT, up to the empty one that ends them."""
        self._awaiting_end_of_data = True
        while True:
            block = self.wire.read_data()[1]
            if not block.columns:
                break
            if block.rows:
                yield block
        self._awaiting_end_of_data = False


@contextmanager
def _external(session: Session, tables: list[tuple[str, Block]]) -> Iterator[None]:
    if not tables:
        yield
        return
    session.apply(())
    names = [temporary_table(session, name, block) for name, block in tables]
    session.layout.changed()
    try:
        yield
    finally:
        session.apply(())
        for name in dict.fromkeys(names):
            session.run(b"DROP TEMPORARY TABLE IF EXISTS " + name)
        session.layout.changed()


class _Answering:
    """The answer to one query."""

    def __init__(self, connection: Connection, session: Session, running: Running) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._session = session
        self._running = running
        self._rows = self._blocks = self._bytes = 0
        self.only_reads = False

    def answer(self, query: Query) -> None:
        """Run the query and send everything up to the end of the stream."""
        statement = parse(query.sql)
        self.only_reads = statement.kind is Kind.SELECT
        chosen = {setting.name: setting.value for setting in query.settings}
        self._wire.method = _METHODS.get(chosen.get("network_compression_method", "").upper())
        if statement.kind is Kind.INSERT_BLOCKS:
            self._insert(statement, query)
            return
        if b";" in statement.sql and self._session.statements_in(statement.sql) > 1:
            raise EngineError(_SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
        try:
            self._run(statement, query)
        finally:
            if not self.only_reads:
                self._session.layout.changed()
        if self._running.cancelled:
            # The engine can end a statement without an error; what it did of it is not known.
            raise CancelledError
        self._wire.send(protocol.profile_info(self._rows, self._blocks, self._bytes), protocol.end_of_stream())

    def _run(self, statement: Statement, query: Query) -> None:
        if statement.kind is Kind.SET:
            self._session.set_lasting(statement.sql)
            return
        self._session.apply(query.settings)
        if statement.kind is Kind.USE:
            self._session.use(statement.sql)
        elif statement.kind is Kind.SELECT:
            self._select(statement.sql)
        else:
            self._other(statement.sql)

    def _select(self, sql: bytes) -> None:
        result = ResultBlocks(self._session, sql)
        with closing(self._session.stream(sql)) as pieces:
            for piece in pieces:
                if self._running.cancelled:
                    return
                self._send_result(result, piece)
                if piece.read_rows or piece.read_bytes or piece.written_rows:
                    made = Progress(piece.read_rows, piece.read_bytes, piece.written_rows, piece.written_bytes)
                    self._wire.send(protocol.progress(made))
        if not self._blocks:
            with suppress(EngineError):
                self._send_header([(name, kind) for name, kind, _ in self._session.describe(b"(" + sql + b"\n)")])

    def _other(self, sql: bytes) -> None:
        done = self._session.run(sql)
        if done.raw:
            self._send_result(ResultBlocks(self._session, sql), done)
        elif sql[:10].upper().startswith(_TALKERS):
            self._send_header([(column["name"], column["type"]) for column in self._session.table(sql)[0]])
        made = Progress(done.read_rows, done.read_bytes, done.written_rows, done.written_bytes)
        self._wire.send(protocol.progress(made))

    def _send_header(self, named: list[tuple[str, str]]) -> None:
        """Tell the columns of an empty result."""
        self._wire.send_block(header_block(tuple(Column(name, kind) for name, kind in named)))

    def _send_result(self, result: ResultBlocks, piece: Answer) -> None:
        for block in result.of(piece):
            self._wire.send_block(block)
            self._blocks += 1
        self._rows += piece.rows
        self._bytes += len(piece.raw)

    def _insert(self, statement: Statement, query: Query) -> None:
        known, as_of = self._connection.known, self._session.layout.changes
        columns = found = known.columns(statement)
        if columns is None:
            self._session.apply(())
            columns = insert_columns(self._session, statement)
        self._session.apply(query.settings)
        if not self._running.commit():
            raise CancelledError
        insert = Insert(self._session, statement, checked=found is not None)
        known.keep(statement, columns, as_of)
        try:
            self._wire.send_block(header_block(columns))
            for block in self._connection.read_rows():
                insert.append(block.raw)
            done = insert.finish()
        except BaseException:
            insert.cancel()
            raise
        made = Progress(written_rows=done.written_rows, written_bytes=done.written_bytes)
        self._wire.send(protocol.progress(made), protocol.end_of_stream())
