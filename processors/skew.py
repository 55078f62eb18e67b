"""How wrong a device's clock is, and what time it was when it said another. Pure.

A sample is the time between sending by the device's clock and receiving by ours: the way, which is short and never negative, less
what the clock is ahead. When `VOTES` samples in a row, over `SPAN_MS` at least, agree on a clock that is wrong by more than
`TOLERANCE_MS`, times that it says from then on are corrected by the smallest of them, which has the shortest way in it. Samples
that do not agree, as of a device that was offline, or of a file of old events that is sent in one go, correct nothing. After
F. Cristian, Probabilistic clock synchronization (1989), for one direction.

From the first sample that is off, corrected times never go back where the device's own go forward: a correction holds for times
after the latest seen before it, and from the corrected time of that one on. So of the events since then no two change places,
whenever they come. What came before, while the clock was right, stands at its own time.
"""

from typing import Final

import msgspec

TOLERANCE_MS: Final = 60_000
SAME_MS: Final = 30_000
VOTES: Final = 5
SPAN_MS: Final = 600_000
MOST_PARTS: Final = 16


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A correction: times after `since` are `shift` milliseconds later, and at least `floor`."""

    since: int
    shift: int
    floor: int


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one device's clock. Times are milliseconds since epoch, UTC: `newest` by the device's clock.

    `votes` samples in a row have said that it is `target` milliseconds behind; `first` and `last` are when the first and the last
    of them arrived, by the broker's clock.
    """

    device: bytes
    first: int
    last: int
    newest: int
    target: int
    votes: int
    parts: tuple[Part, ...] = ()

    def corrected(self, time: int) -> int:
        """What time it was."""
        for part in reversed(self.parts):
            if time > part.since:
                return max(time + part.shift, part.floor)
        return time


def learned(clock: Clock | None, device: bytes, occurred_at: int, behind: int, arrived_at: int) -> Clock | None:
    """What is known after a sample: the device sent `behind` milliseconds before it was received. None: nothing is wrong.

    The correction that follows from a sample holds for later times than those seen so far, so also for the sample's own event what
    was known before it decides.
    """
    wanted = 0 if abs(behind) <= TOLERANCE_MS else behind
    if clock is None:
        return None if not wanted else Clock(device, arrived_at, arrived_at, occurred_at, wanted, 1)
    newest = max(clock.newest, occurred_at)
    current = clock.parts[-1].shift if clock.parts else 0
    if abs(wanted - current) <= SAME_MS:
        return Clock(device, arrived_at, arrived_at, newest, current, 0, clock.parts) if clock.parts else None
    agrees = bool(clock.votes) and abs(wanted - clock.target) <= SAME_MS
    first, votes, target = arrived_at, 1, wanted
    if agrees:
        first, votes, target = clock.first, clock.votes + 1, min(wanted, clock.target)
    parts = clock.parts
    if votes >= VOTES and arrived_at - first >= SPAN_MS and len(parts) < MOST_PARTS:
        parts, votes = (*parts, Part(newest, target, clock.corrected(newest))), 0
    return Clock(device, first, arrived_at, newest, target, votes, parts)
