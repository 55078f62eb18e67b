"""Bodies of other systems, by the mapping that their key names. Pure.

A row that does not fit is kept with its own bytes: the body itself where it holds nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import msgspec

from pipeline.codec import Record
from pipeline.events import Reason, Rejection
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents, TooMuch
from pipeline.intake.judging import Bad, Good, Judge, too_large
from pipeline.intake.mapped_bodies import pieces
from pipeline.intake.mapped_rows import Bounds, Piece
from pipeline.replay.fields import Misfit
from pipeline.replay.mapper import touchpoints
from pipeline.replay.plan import Mapping
from pipeline.replay.row import Row

MADE_FOR_AN_EVENT: Final = 2 << 10
MADE_FOR_A_BYTE: Final = 3
"""So many bytes may be made of a body for each event that it may hold, or for each of its own bytes if that is more: what its
records have in common is in every touchpoint, and a row may make many."""

MOST_OF_KEPT: Final = 1_000
"""So many rows may be in what was kept of one: a body may be kept whole where its rows cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping, and the secret that keys what event ids say of a row."""

    mapping: Mapping
    secret: bytes

    def events(self, body: bytes, judge: Judge, now: int, most: int) -> Iterator[Good | Bad | None]:
        """The touchpoints of a body, and what is none; None behind each row, so that others may have their turn.

        Raises TooManyEvents once there are more than `most` touchpoints or rows, TooMuch where they are too large together, and
        BodyUnreadable for a list that is no JSON.
        """
        rows = pieces(self.mapping, body, Bounds(most, judge.most_bytes))
        first, second = next(rows, None), next(rows, None)
        if first is not None and second is None:
            first = Piece(first.row, (body,))
        most_made = _most_made(body, most)
        events = made = 0
        for piece in chain((one for one in (first, second) if one is not None), rows):
            for size, one in self._row(piece, judge, now):
                events, made = events + 1, made + size
                if events > most:
                    raise TooManyEvents
                if made > most_made:
                    raise TooMuch
                yield one
            yield None

    def made(self, kept: bytes, most_bytes: int) -> list[Record] | Rejection:
        """The touchpoints, not judged yet, of what was kept of a row; or why it does not fit, or is too large, as for `events`.

        Without a source: the key has it.
        """
        found: list[Record] = []
        most_made = left = _most_made(kept, MOST_OF_KEPT)
        try:
            for piece in pieces(self.mapping, kept, Bounds(MOST_OF_KEPT, most_bytes)):
                made = piece.row if isinstance(piece.row, Rejection) else self._made(piece.row)
                if isinstance(made, Rejection):
                    return made
                largest, left = max((size for size, _ in made), default=0), left - sum(size for size, _ in made)
                if largest > most_bytes:
                    return too_large(largest, most_bytes)
                if left < 0:
                    return too_large(most_made - left, most_made)
                found += [record for _, record in made]
        except BodyUnreadable as error:
            return error.why
        except TooManyEvents:
            return Rejection(Reason.TOO_LARGE, "", f"{MOST_OF_KEPT} rows at most", "more")
        return found

    def _row(self, piece: Piece, judge: Judge, now: int) -> Iterator[tuple[int, Good | Bad]]:
        """Each with how many bytes it has."""
        made = piece.row if isinstance(piece.row, Rejection) else self._made(piece.row)
        if isinstance(made, Rejection):
            yield _kept(judge.bad(piece.own, made))
            return
        for size, record in made:
            if size > judge.most_bytes:
                yield _kept(judge.bad(piece.own, too_large(size, judge.most_bytes), record))
                continue
            one = judge.record(record, b"", now)
            yield (size, one) if isinstance(one, Good) else _kept(replace(one, body=piece.own))

    def _made(self, row: Row) -> list[tuple[int, Record]] | Rejection:
        """The touchpoints of a row, each with how many bytes it has."""
        try:
            made = touchpoints(self.mapping, self.secret, row)
        except Misfit as misfit:
            return Rejection(Reason.MISFIT, misfit.field, f"what the mapping {self.mapping.name} takes", misfit.reason)
        return [(len(msgspec.json.encode(one)), {**msgspec.to_builtins(one), "source": None}) for one in made]


def _most_made(body: bytes, most: int) -> int:
    return max(MADE_FOR_AN_EVENT * most, MADE_FOR_A_BYTE * len(body))


def _kept(bad: Bad) -> tuple[int, Bad]:
    return len(bad.body), bad
