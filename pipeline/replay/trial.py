"""What would become of rows: mapped, and judged as the stage resolve would judge them. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from pipeline.events import Rejection, Touchpoint
from pipeline.replay import mapper
from pipeline.replay.fields import Misfit
from pipeline.replay.plan import Mapping
from pipeline.replay.row import BadRow, Row
from processors.validate import TimeLimits, validate


@dataclass(frozen=True, slots=True)
class Judged:
    """One touchpoint, why it would be rejected if it would, and the row that had its event id before if one had."""

    touchpoint: Touchpoint
    rejection: Rejection | None
    duplicate_of: int | None

    @property
    def taken(self) -> bool:
        """Would it be stored?"""
        return self.rejection is None and self.duplicate_of is None


@dataclass(frozen=True, slots=True)
class Tried:
    """One row: its touchpoints, or the field and the reason why not (field empty: the row as such).

    With neither touchpoints nor a reason a condition leaves it out.
    """

    line: int
    number: int
    touchpoints: tuple[Judged, ...] = ()
    field: str = ""
    reason: str = ""

    @property
    def outcome(self) -> str:
        """fits, left_out or misfit."""
        return "misfit" if self.reason else "fits" if self.touchpoints else "left_out"


def tried(
    rows: Iterable[Row | BadRow], mapping: Mapping, secret: bytes, arrived_at: int, limits: TimeLimits
) -> Iterator[Tried]:
    """What would become of each row, if it arrived at `arrived_at` (milliseconds since epoch, UTC)."""
    seen: dict[str, int] = {}
    for row in rows:
        if isinstance(row, BadRow):
            yield Tried(row.line, row.number, reason=row.reason)
            continue
        try:
            made = mapper.touchpoints(mapping, secret, row)
        except Misfit as misfit:
            yield Tried(row.line, row.number, field=misfit.field, reason=misfit.reason)
            continue
        judged = tuple(_judged(touchpoint, seen, arrived_at, limits) for touchpoint in made)
        for one in judged:
            if one.taken:
                seen[one.touchpoint.event_id] = row.number
        yield Tried(row.line, row.number, judged)


def _judged(touchpoint: Touchpoint, seen: dict[str, int], arrived_at: int, limits: TimeLimits) -> Judged:
    verdict = validate(msgspec.to_builtins(touchpoint), arrived_at, limits)
    rejection = verdict if isinstance(verdict, Rejection) else None
    return Judged(touchpoint, rejection, None if rejection else seen.get(touchpoint.event_id))
