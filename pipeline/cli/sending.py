"""What commands that produce touchpoints share: the sending itself, its progress on the screen, its errors."""

import logging
import math
import os
import signal
from collections.abc import Callable, Iterable
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, EX_USAGE, err, fail
from pipeline.config import Settings
from pipeline.endpoints import NotRunning
from pipeline.events import Touchpoint
from pipeline.produce import Pace, ProducedCounts, ProduceError, Raw, full_speed, produce
from schemas.registry import RegistryUnavailable, SchemaUnknown

KEY_VARIABLE: Final = "INTAKE_KEY"
STOPPED: Final = 128
"""Added to a signal's number it is the exit code of a command that the signal ended."""
INTERRUPTED: Final = STOPPED + signal.SIGINT


def send(
    settings: Settings, items: Iterable[Touchpoint | Raw], *, pace: Pace = full_speed, what: str, total: int | None
) -> ProducedCounts:
    """Send `items` with a bar on the terminal; every error that a user can cause or meet ends the command in one line."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its warnings repeat what our one error says
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        try:
            return produce(settings, items, pace, lambda sent: bar.update(task, completed=sent))
        except (NotRunning, ProduceError, RegistryUnavailable) as error:
            fail(str(error), EX_UNAVAILABLE)
        except SchemaUnknown as error:
            fail(str(error), EX_CONFIG)
        except OSError as error:
            fail(f"cannot write {error.filename or 'a file'}: {error.strerror or error}", EX_CONFIG)
        except ValueError as error:  # its text may quote the touchpoint
            fail(f"a touchpoint does not fit its schema ({type(error).__name__})", EX_DATAERR)
        except KeyboardInterrupt:
            fail("stopped before anything was sent", INTERRUPTED)


def send_over_http(
    url: str, items: Iterable[Touchpoint | Raw], *, pace: Pace = full_speed, what: str, total: int | None
) -> ProducedCounts:
    """The same to an intake, under the key in $INTAKE_KEY."""
    from pipeline.client import BufferFull, IntakeRefused, NotDelivered, Touchpoints
    from pipeline.client.pacing import produce_over_http

    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        fail(f"{KEY_VARIABLE} is not set: `touchstream keys add SOURCE` makes a key", EX_USAGE)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        try:
            return produce_over_http(Touchpoints(url, key), items, pace, lambda sent: bar.update(task, completed=sent))
        except (IntakeRefused, NotDelivered, BufferFull) as error:
            fail(str(error), EX_UNAVAILABLE)
        except ValueError as error:
            fail(str(error), EX_USAGE)


def positive(value: str, option: str) -> float | None:
    """The number of an option that is a positive number, or None for `max`; anything else ends the command with code 64."""
    if value == "max":
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        fail(f"{option} must be max or a number above 0, not {value!r}", EX_USAGE)
    return number


def counted(items: Iterable[Touchpoint], note: Callable[[Touchpoint], None]) -> Iterable[Touchpoint]:
    """The same items; each is noted when the next one is asked for, so when it is sent."""
    for item in items:
        yield item
        note(item)
