"""Bodies of other systems, by the mapping that their key names. Pure.

A row that does not fit is kept with its own bytes: the body itself where it holds nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import msgspec

from pipeline.events import Reason, Rejection, Touchpoint
from pipeline.intake.bodies import BodyUnreadable, TooManyEvents
from pipeline.intake.judging import Bad, Good, Judge
from pipeline.intake.mapped_bodies import pieces
from pipeline.intake.mapped_rows import Bounds, Piece
from pipeline.replay.fields import Misfit
from pipeline.replay.mapper import touchpoints
from pipeline.replay.plan import Mapping

IDS_OF_BODIES = ("columns", "content")
"""Where event ids may come from: the number of a row says nothing in a body."""
MADE_FOR_AN_EVENT: Final = 2 << 10
MADE_FOR_A_BYTE: Final = 3
"""So many bytes may be made of a body for each event that it may hold, or for each of its own bytes if that is more: what its
records have in common is in every touchpoint, and a row may make many."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping, and the secret that keys what event ids say of a row."""

    mapping: Mapping
    secret: bytes

    def events(self, body: bytes, judge: Judge, now: int, most: int) -> Iterator[Good | Bad | None]:
        """The touchpoints of a body, and what is none; None behind each row, so that others may have their turn.

        Raises TooManyEvents once there are more than `most` touchpoints or rows, and BodyUnreadable where it makes too much.
        """
        rows = pieces(self.mapping, body, Bounds(most, judge.most_bytes))
        first, second = next(rows, None), next(rows, None)
        if first is not None and second is None:
            first = Piece(first.row, (body,))
        most_made = max(MADE_FOR_AN_EVENT * most, MADE_FOR_A_BYTE * len(body))
        events = made = 0
        for piece in chain((one for one in (first, second) if one is not None), rows):
            for size, one in self._row(piece, judge, now):
                events, made = events + 1, made + size
                if events > most:
                    raise TooManyEvents
                if made > most_made:
                    expected = f"{most_made} bytes at most in all touchpoints of a body"
                    raise BodyUnreadable(Rejection(Reason.TOO_LARGE, "", expected, "more"))
                yield one
            yield None

    def _row(self, piece: Piece, judge: Judge, now: int) -> Iterator[tuple[int, Good | Bad]]:
        """Each with how many bytes it has."""
        if isinstance(piece.row, Rejection):
            yield _kept(judge.bad(piece.own, piece.row))
            return
        try:
            made = touchpoints(self.mapping, self.secret, piece.row)
        except Misfit as misfit:
            why = Rejection(Reason.MISFIT, misfit.field, f"what the mapping {self.mapping.name} takes", misfit.reason)
            yield _kept(judge.bad(piece.own, why))
            return
        for touchpoint in made:
            size = len(msgspec.json.encode(touchpoint))
            one = _judged(touchpoint, size, judge, now)
            yield (size, one) if isinstance(one, Good) else _kept(replace(one, body=piece.own))


def _kept(bad: Bad) -> tuple[int, Bad]:
    return len(bad.body), bad


def _judged(touchpoint: Touchpoint, size: int, judge: Judge, now: int) -> Good | Bad:
    record = {**msgspec.to_builtins(touchpoint), "source": None}
    return judge.record(record, b"", now) if size <= judge.most_bytes else judge.bad(b"", judge.too_large(size), record)
