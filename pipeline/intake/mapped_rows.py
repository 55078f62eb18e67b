"""A row of a body of another system, the reasons for which it is none, and how much may be in a body. Pure."""

from dataclasses import dataclass
from typing import Final

from pipeline.events import Reason, Rejection
from pipeline.replay.plan import Mapping
from pipeline.replay.row import ROW_CHARS, TOO_LONG, Row

LONG: Final = Rejection(
    Reason.TOO_LARGE, "", f"a row of {ROW_CHARS} characters at most, with all its names", "a longer one"
)
"""What is too long to be a row, or to be around rows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most rows of a body, and the most bytes of one of them."""

    rows: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A row, or why it is none; and the parts of a body that holds it alone: what it needs to be read, as the header line of a
    table, or what is around it in its document, and its own bytes."""

    row: Row | Rejection
    parts: tuple[bytes, ...]

    @property
    def own(self) -> bytes:
        """That body. It is put together for those that are kept alone, because what all rows need may be large."""
        return b"".join(self.parts)


def misfit(mapping: Mapping, reason: str) -> Rejection:
    """Why something is no row of a mapping."""
    if TOO_LONG in reason:
        return LONG
    return Rejection(Reason.MISFIT, "", f"a row of the mapping {mapping.name}", reason)
