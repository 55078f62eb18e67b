"""Touchpoints to an intake at a pace, as a simulation sends them; the counterpart of `pipeline.produce` over HTTP."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from deploy.embedded.stopping import Stopping, stopped_by_signals
from pipeline.client.touchpoints import Touchpoints
from pipeline.events import Touchpoint
from pipeline.produce import Pace, ProducedCounts, Raw

TURN: Final = 256
# The key says the source, and the intake stamps the time at which it comes.
LEFT_OUT: Final = ("source", "received_at")


class NotATouchpoint(TypeError):
    """A record of bytes cannot be sent over HTTP."""


def produce_over_http(
    touchpoints: Touchpoints, items: Iterable[Touchpoint | Raw], pace: Pace, progress: Callable[[int], None]
) -> ProducedCounts:
    """Send everything at the pace and wait for its verdicts; SIGINT and SIGTERM end the sending, what was sent is still answered.

    Raises IntakeRefused, NotDelivered, BufferFull, NotATouchpoint.
    """
    sent, behind = 0, 0.0
    caught: list[int] = []
    with stopped_by_signals(Stopping(), caught) as stop, touchpoints:
        began = time.monotonic()
        for index, item in enumerate(items):
            due = pace(index, item)
            behind = 0.0 if due is None else time.monotonic() - began - due
            if behind < 0:
                stop.wait(-behind)
            if stop.is_set():
                break
            touchpoints.send(_event(item))
            sent = index + 1
            if sent % TURN == 0:
                progress(sent)
        touchpoints.flush()
        seconds = time.monotonic() - began
    progress(sent)
    counts = touchpoints.counts
    done = counts.accepted + counts.duplicate + counts.rejected
    return ProducedCounts(sent, done, seconds, max(0.0, behind), *caught[:1])


def _event(item: Touchpoint | Raw) -> dict[str, Any]:
    if isinstance(item, Raw):
        raise NotATouchpoint("a record of bytes cannot be sent over HTTP")
    whole: dict[str, Any] = msgspec.to_builtins(item)
    return {name: value for name, value in whole.items() if value is not None and name not in LEFT_OUT}
