"""Where inserted blocks go: the columns that a client has to send, and tables that come with a query."""

import re

from deploy.embedded.clickhouse_engine import EngineError, Layout, Session
from deploy.embedded.clickhouse_literals import backquoted
from deploy.embedded.clickhouse_pipe import Insert
from deploy.embedded.clickhouse_statements import Kind, Statement
from deploy.embedded.native_blocks import Block, Column
from deploy.embedded.native_types import UnsupportedTypeError, shape_of, split_arguments

_NOT_IMPLEMENTED = 48
_MOST_KNOWN = 100
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_QUOTED = re.compile(r"`((?:[^`\\]|\\.|``)*)`|\"((?:[^\"\\]|\\.|\"\")*)\"")
_WRITABLE = ("", "DEFAULT")


class KnownInserts:
    """The columns of inserts that one session was found to be able to make. The engine needs longer to tell them than to store some
    hundred rows, so they are kept until any session does anything that may change a table."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._as_of = -1
        self._columns: dict[Statement, tuple[Column, ...]] = {}

    def columns(self, statement: Statement) -> tuple[Column, ...] | None:
        """None when it has to be asked again."""
        if self._as_of != self._layout.changes:
            self._columns.clear()
        return self._columns.get(statement)

    def keep(self, statement: Statement, columns: tuple[Column, ...], as_of: int) -> None:
        """They were told and the insert was checked, beginning when the layout had changed `as_of` times."""
        if as_of == self._layout.changes and len(self._columns) < _MOST_KNOWN:
            self._columns[statement] = columns
            self._as_of = as_of


def insert_columns(session: Session, statement: Statement) -> tuple[Column, ...]:
    """The columns of an INSERT's blocks, in order; EngineError when table or columns are not to be had."""
    target = re.sub(rb"\Afunction\s+", b"", statement.target, flags=re.IGNORECASE)
    rows = session.describe(b"TABLE " + target)
    types = {name: kind for name, kind, _ in rows}
    if not statement.columns:
        names: list[str | None] = [name for name, _, default in rows if default in _WRITABLE]
    else:
        names = [_identifier(part) for part in split_arguments(statement.columns.decode("utf-8", "replace"))]
    if all(name in types for name in names):
        columns = tuple(Column(str(name), types[str(name)]) for name in names)
    else:
        # An unknown column gets the engine's own error here; what is left is an expression like `* EXCEPT(a)`.
        session.check_insert(statement.sql)
        described = session.describe(b"(SELECT " + statement.columns + b" FROM " + target + b")")
        columns = tuple(Column(name, kind) for name, kind, _ in described)
    _check_types(columns)
    return columns


def _check_types(columns: tuple[Column, ...]) -> None:
    for column in columns:
        try:
            shape_of(column.type)
        except UnsupportedTypeError:
            hint = "this server takes it by INSERT ... SELECT, not in blocks"
            raise EngineError(_NOT_IMPLEMENTED, f"Column {column.name} has type {column.type}: {hint}") from None


def _identifier(text: str) -> str | None:
    if _PLAIN.fullmatch(text):
        return text
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return None
    inner = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
    return re.sub(r"\\(.)|``|\"\"", lambda found: found.group(1) or found.group(0)[0], inner)


def temporary_table(session: Session, name: str, block: Block) -> bytes:
    """Put a block that came with a query into a temporary table of the session; its quoted name."""
    quoted = backquoted(name)
    columns = b", ".join(backquoted(column.name) + b" " + column.type.encode() for column in block.columns)
    session.run(b"CREATE TEMPORARY TABLE IF NOT EXISTS " + quoted + b" (" + columns + b") ENGINE = Memory")
    if block.rows:
        insert = Insert(session, Statement(Kind.INSERT_BLOCKS, b"INSERT INTO " + quoted))
        try:
            insert.append(block.raw)
            insert.finish()
        except BaseException:
            insert.cancel()
            raise
    return quoted
