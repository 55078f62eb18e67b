"""`touchstream wait --idle`: until everything produced so far can be queried."""

import time
from typing import Annotated

import typer

from pipeline import endpoints, lag
from pipeline.cli.output import EX_CONFIG, EX_TEMPFAIL, EX_USAGE, as_json, fail, out, settings
from pipeline.config import Settings

POLL_S = 0.2


def wait(
    idle: Annotated[bool, typer.Option("--idle", help="Until no stage has anything left to do.")] = False,
    timeout: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Return when everything that was produced before this command began is in ClickHouse.

    Example: touchstream wait --idle --timeout 60
    """
    if not idle:
        fail("say what to wait for: --idle", EX_USAGE)
    chosen = settings()
    seconds = until_idle(chosen, timeout)
    as_json({"idle": True, "seconds": round(seconds, 2)}) if json else out.print(f"idle after {seconds:.1f} s")


def until_idle(chosen: Settings, timeout_s: float) -> float:
    """Wait; the seconds it took. Ends the command when it takes longer than `timeout_s`, or when no Kafka is known."""
    try:
        bootstrap = endpoints.kafka(chosen)
    except endpoints.NotRunning as error:
        fail(str(error), EX_CONFIG)
    began = time.monotonic()
    # Upstream first, each up to where its topics ended when the one before was done: so it ends while more is being produced.
    for stage in lag.READS:
        _until_done(bootstrap, chosen, stage, (began, timeout_s))
    return time.monotonic() - began


def _until_done(bootstrap: str, chosen: Settings, stage: str, patience: tuple[float, float]) -> None:
    began, timeout_s = patience
    upto: lag.Ends = {}
    while trouble := _behind(bootstrap, chosen, stage, upto):
        if time.monotonic() - began > timeout_s:
            fail(f"not idle after {timeout_s:g} s: {trouble}; `touchstream status` shows more", EX_TEMPFAIL)
        time.sleep(POLL_S)


def _behind(bootstrap: str, chosen: Settings, stage: str, upto: lag.Ends) -> str:
    """What is left to do, or nothing; `upto` is filled when it is empty."""
    try:
        upto.update({} if upto else lag.ends(bootstrap, chosen, stage))
        left = lag.behind(bootstrap, chosen, stage, upto)
    except lag.LagUnknown as trouble:
        return str(trouble)
    return f"{stage} is behind by {left} records" if left else ""
