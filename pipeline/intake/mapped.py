"""Bodies of other systems, by the mapping that their key names. Pure.

A row fits as a whole or not at all. One that does not is kept: the body itself where it holds nothing else, else its cells as JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from pipeline.codec import Record
from pipeline.events import Reason, Rejection
from pipeline.intake.bodies import TooManyEvents
from pipeline.intake.judging import Bad, Good, Judge
from pipeline.replay.bodies import records_of
from pipeline.replay.fields import Misfit
from pipeline.replay.mapper import touchpoints
from pipeline.replay.plan import Mapping
from pipeline.replay.row import BadRow, Row


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping, and the secret that keys what event ids say of a row."""

    mapping: Mapping
    secret: bytes

    def events(self, body: bytes, judge: Judge, now: int, most: int) -> Iterator[Good | Bad]:
        """The touchpoints of a body, and what is none. Raises TooManyEvents once there are more than `most`."""
        rows = list(_at_most(records_of(self.mapping, body), most))
        events = 0
        for row in rows:
            kept = body if len(rows) == 1 else _text(row)
            for one in self._row(row, judge, kept, now):
                events += 1
                if events > most:
                    raise TooManyEvents
                yield one

    def made(self, kept: bytes) -> list[Record] | Rejection:
        """The touchpoints, not judged yet, of what was kept of a row; or why it does not fit. Without a source: the key has it."""
        found: list[Record] = []
        for row in records_of(self.mapping, kept):
            if isinstance(row, BadRow):
                return Rejection(Reason.MISFIT, "", f"a row of the mapping {self.mapping.name}", row.reason)
            try:
                made = touchpoints(self.mapping, self.secret, row)
            except Misfit as misfit:
                return Rejection(
                    Reason.MISFIT, misfit.field, f"what the mapping {self.mapping.name} takes", misfit.reason
                )
            found += [{**msgspec.to_builtins(one), "source": None} for one in made]
        return found

    def _row(self, row: Row | BadRow, judge: Judge, kept: bytes, now: int) -> list[Good | Bad]:
        if isinstance(row, BadRow):
            return [
                judge.bad(kept, Rejection(Reason.MISFIT, "", f"a row of the mapping {self.mapping.name}", row.reason))
            ]
        try:
            made = touchpoints(self.mapping, self.secret, row)
        except Misfit as misfit:
            why = Rejection(Reason.MISFIT, misfit.field, f"what the mapping {self.mapping.name} takes", misfit.reason)
            return [judge.bad(kept, why)]
        return [judge.record({**msgspec.to_builtins(one), "source": None}, kept, now) for one in made]


def _at_most(rows: Iterator[Row | BadRow], most: int) -> Iterator[Row | BadRow]:
    for number, row in enumerate(rows):
        if number >= most:
            raise TooManyEvents
        yield row


def _text(row: Row | BadRow) -> bytes:
    if isinstance(row, BadRow):
        return row.text.encode("utf-8", "surrogateescape")
    return msgspec.json.encode({**row.around, **row.cells})
