"""`touchstream down`: stop what runs on this home."""

import os
import signal
import time
from typing import Annotated

import typer

from pipeline import supervisor
from pipeline.cli.output import EX_TEMPFAIL, as_json, fail, out, settings

TIMEOUT_S = 75.0


def down(json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> None:
    """Stop everything in order; data stays.

    Example: touchstream down
    """
    chosen = settings()
    status = supervisor.status(chosen)
    if status is None:
        as_json({"stopped": False, "reason": "not running"}) if json else out.print("nothing runs here")
        return
    if status["pid"] is None:
        fail("it is just starting or stopping; try again in a moment", EX_TEMPFAIL)
    os.kill(status["pid"], signal.SIGTERM)
    deadline = time.monotonic() + TIMEOUT_S
    while supervisor.status(chosen) is not None:
        if time.monotonic() > deadline:
            fail(f"the supervisor (pid {status['pid']}) did not end within {TIMEOUT_S:g} s", EX_TEMPFAIL)
        time.sleep(0.1)
    as_json({"stopped": True}) if json else out.print("stopped")
