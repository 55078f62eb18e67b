"""A record that the code of a stage cannot take although it is valid: put aside with a reason, so that it costs only itself.

It is a fault of ours. But a stage that stops at it would stop again at each restart, and hold up every other record.
"""

from typing import Final

from pipeline.events import Reason, Rejection

# What a fault in handling one value raises. Anything else (no memory, a broken invariant) stops the process.
POISON: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
MOST: Final = 0.5
FROM: Final = 100


class Poisoned(Exception):
    """So many records of one batch failed that the fault lies in the stage and not in them: it must stop, not drain them away."""


def failed(error: Exception) -> Rejection:
    """The rejection of a record whose handling raised `error`."""
    return Rejection(Reason.PROCESSING_FAILED, "", "a record that can be processed", type(error).__name__)


def refuse_poison(failures: int, records: int) -> None:
    """Raises Poisoned when more than half of a batch of some size failed."""
    if records >= FROM and failures > MOST * records:
        raise Poisoned(f"{failures} of {records} records of one batch could not be processed")
