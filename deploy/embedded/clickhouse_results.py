"""Blocks of a result as a server sends them: one by one, with full type names."""

from collections.abc import Iterator

from deploy.embedded.clickhouse_engine import Answer, EngineError, Session
from deploy.embedded.native_blocks import block_rows, split_blocks, with_types
from deploy.embedded.native_reader import ProtocolError

# `FORMAT Native` leaves the time zone of a DateTime column out; nothing else about a block differs.
_ZONELESS = "DateTime"
_ZONELESS_BYTES = b"\x08DateTime"


class ResultBlocks:
    """Turns the engine's pieces of one query's result into the blocks to send."""

    def __init__(self, session: Session, sql: bytes) -> None:
        self._session = session
        self._sql = sql
        self._zoned: dict[int, str] | None = None

    def of(self, piece: Answer) -> Iterator[bytes]:
        """The blocks of one piece."""
        whole = block_rows(piece.raw) == piece.rows
        for block in (piece.raw,) if whole else split_blocks(piece.raw):
            yield self._with_zones(block)

    def _with_zones(self, block: bytes) -> bytes:
        if _ZONELESS_BYTES not in block:
            return block
        if self._zoned is None:
            self._zoned = self._find_zones()
        if not self._zoned:
            return block
        try:
            return with_types(block, self._zoned)
        except ProtocolError:
            # A column whose size only the engine knows stands in the same block.
            return block

    def _find_zones(self) -> dict[int, str]:
        try:
            described = self._session.described(self._sql)
        except EngineError:
            return {}
        return {number: kind for number, (_, kind) in enumerate(described) if kind.startswith(f"{_ZONELESS}(")}
