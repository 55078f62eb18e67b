"""How far the shown data lags behind the world, and whether that is a fault or mere quiet."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

AMBER_S: Final = 5.0
BANNER_S: Final = 30.0


class State(StrEnum):
    """What a watcher has to know first."""

    STARTING = "starting"
    EMPTY = "empty"
    LIVE = "live"
    QUIET = "quiet"
    WAITING = "waiting"
    BEHIND = "behind"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known. Times in seconds since epoch.

    `answered_at`: when ClickHouse last answered; `newest_at`: when the newest stored touchpoint arrived. `lag`: records that
    each stage still has to take, None when nobody can tell; `lag_since`: since when some have been waiting.
    """

    started_at: float
    answered_at: float | None = None
    newest_at: float | None = None
    lag: dict[str, int] | None = None
    lag_since: float | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """The verdict. `age_s` is how old the newest data is, `silent_s` for how long ClickHouse hasn't answered, in seconds."""

    state: State
    age_s: float | None
    silent_s: float
    newest_at: float | None
    lag: dict[str, int] | None
    alarm: bool

    @property
    def waiting(self) -> int | None:
        """Records that wait before all stages together; None when unknown."""
        return None if self.lag is None else sum(self.lag.values())


def judge(seen: Seen, now: float) -> Freshness:
    """The state at `now`, seconds since epoch. `alarm` asks for a banner across the page.

    A board that cannot reach ClickHouse is stale whatever it shows. One that can is quiet when nothing waits before any stage,
    behind when something has been waiting, and waiting when nobody can tell the two apart.
    """
    silent = now - (seen.answered_at if seen.answered_at is not None else seen.started_at)
    age = None if seen.newest_at is None else max(0.0, now - seen.newest_at)
    state, alarm = _state(seen, now, silent)
    return Freshness(state, age, silent, seen.newest_at, seen.lag, alarm)


def _state(seen: Seen, now: float, silent: float) -> tuple[State, bool]:
    if silent > AMBER_S:
        return State.STALE, silent > BANNER_S
    if seen.answered_at is None:
        return State.STARTING, False
    # Since the last answer more may have come: only what was missing when it was given counts as missing.
    missed = None if seen.newest_at is None else max(0.0, seen.answered_at - seen.newest_at)
    waited = 0.0 if seen.lag_since is None else now - seen.lag_since
    if waited > AMBER_S and (missed is None or missed > AMBER_S):
        return State.BEHIND, waited > BANNER_S and (missed is None or missed > BANNER_S)
    if missed is None:
        return State.EMPTY, False
    if missed <= AMBER_S:
        return State.LIVE, False
    if seen.lag is None:
        return State.WAITING, missed > BANNER_S
    return State.QUIET, False
