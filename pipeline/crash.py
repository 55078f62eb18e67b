"""Crash points: moments at which a test has a process die as by kill -9, so that whatever it promises is tried at its worst.

`TOUCHSTREAM_CRASH_AT=journey:before_commit:3` kills the process `journey` when it comes to `before_commit` for the third time.
Without the variable a point costs one comparison.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "TOUCHSTREAM_CRASH_AT"
SOON_S: Final = 30e-6
STAGE_POINTS: Final = (
    "restoring",
    "fetched",
    "decoded",
    "folded",
    "producing",
    "before_offsets",
    "before_commit",
    "committed",
    "saving",
    "revoked",
)
SINK_POINTS: Final = (
    "assigned",
    "fetched",
    "before_plan",
    "planned",
    "inserting",
    "inserted",
    "rejecting",
    "rejected",
    "committed",
    "revoked",
)
REDRIVE_POINTS: Final = ("fenced", "sent", "noted", "committed")
WATCH_POINTS: Final = ("fenced", "sending", "sent", "committed")


class CrashPointMalformed(ValueError):
    """`TOUCHSTREAM_CRASH_AT` names no crash point."""


@dataclass(slots=True)
class CrashPoint:
    """Where to die, and how many times that place is passed before."""

    process: str
    point: str
    left: int

    def passed(self, process: str, point: str) -> bool:
        """Whether this is the time to die."""
        if (process, point) != (self.process, self.point):
            return False
        self.left -= 1
        return self.left <= 0


def crash_point(environment: Mapping[str, str]) -> CrashPoint | None:
    """The point that the environment names, or None. Raises CrashPointMalformed."""
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    process, _, rest = text.partition(":")
    point, _, count = rest.partition(":")
    known = {"sink": SINK_POINTS, "redrive": REDRIVE_POINTS, "watch": WATCH_POINTS}.get(process, STAGE_POINTS)
    if point not in known or not (count.isascii() and count.isdigit() and int(count) > 0):
        raise CrashPointMalformed(
            f"{VARIABLE}={text!r} is not process:point:n; points of {process}: {', '.join(known)}"
        )
    return CrashPoint(process, point, int(count))


_armed: CrashPoint | None = None


def arm(environment: Mapping[str, str]) -> None:
    """Heed the environment from now on. Raises CrashPointMalformed."""
    global _armed  # noqa: PLW0603 - one process, one point
    _armed = crash_point(environment)


def here(process: str, point: str) -> None:
    """Die at once if this is the armed point's turn."""
    if _armed is not None and _armed.passed(process, point):
        os.kill(os.getpid(), signal.SIGKILL)


def soon(process: str, point: str) -> None:
    """Die in the midst of what comes next if this is the armed point's turn.

    The system ends the process by SIGALRM, which nobody handles, so that it also dies in foreign code which lets no thread run.
    """
    if _armed is not None and _armed.passed(process, point):
        signal.setitimer(signal.ITIMER_REAL, SOON_S)
