"""`touchstream simulate`: a made-up business whose truth is known, live or all at once."""

import json as jsonlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pipeline.cli.output import EX_CANTCREAT, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE, as_json, err, fail, out, settings
from pipeline.cli.sending import INTERRUPTED, STOPPED, send, send_over_http
from pipeline.config import Settings
from pipeline.events import Touchpoint
from pipeline.produce import Pace, ProducedCounts, Raw, full_speed
from pipeline.rules import registry_of
from pipeline.simulate import OptionError, Options, Simulation, Tally
from pipeline.simulate.world import records_before
from schemas.registry import RegistryUnavailable, SchemaUnknown

_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", re.ASCII)
_NOTICED: Final = 0.95
_INVALID: Final = 0.005
# Getting ready takes about so long, so a live simulation is dated from then and need not catch up at its start.
_READY_S: Final = 0.5
_READY_PER_RECORD_S: Final = 0.00005


def simulate(
    rate: Annotated[float, typer.Option(help="Records a second.")] = 50.0,
    *,
    duration: Annotated[
        str | None, typer.Option("--for", help="How long, such as 60s, 5m or 2h; without it, until stopped.")
    ] = None,
    speed: Annotated[
        str,
        typer.Option(help="real: live; max: at once, with times that fill --for and end now (or begin at --start)."),
    ] = "real",
    customers: Annotated[int, typer.Option(help="How many customers there are.")] = 2_000,
    duplicates: Annotated[float, typer.Option(help="Share of records that are sent a second time.")] = 0.02,
    late: Annotated[float, typer.Option(help="Share of touchpoints that happened up to 72 hours before.")] = 0.05,
    invalid: Annotated[
        float | None, typer.Option(help="Share of records that are broken in one of 17 ways; 0.005, with --intake 0.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds and starts give equal records.")] = 1,
    start: Annotated[
        str | None, typer.Option(help="With --speed max: the first time, as 2026-03-01T08:00:00Z.")
    ] = None,
    intake: Annotated[
        str | None, typer.Option(help="Send over HTTP to the intake at this URL, under the key in $INTAKE_KEY.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Write what is true, and what surveys hide of it, to this JSON file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Simulate customers in every channel, with duplicates, late arrivals and broken records.

    The summary says how many records must be stored, known as duplicates, and rejected for which reason.

    Example: touchstream simulate --rate 200 --for 5m --truth truth.json
    """
    chosen = settings()
    live = _is_live(speed, duration, start)
    length_ms = _milliseconds(duration) if duration else None
    if intake is not None and invalid:
        fail("--invalid is for Kafka: over HTTP there are no broken records to send", EX_USAGE)
    share = invalid if invalid is not None else (_INVALID if intake is None else 0.0)
    shares = {"duplicates": duplicates, "late": late, "invalid": share}
    fixed = {"seed": seed, "rate": rate, "duration_ms": length_ms, "customers": customers, **shares}
    options = _options(chosen, fixed, live, start)
    if truth is not None and not truth.absolute().parent.is_dir():
        fail(f"cannot write {truth}: no such directory", EX_CANTCREAT)
    simulation, tally = _ready(options), Tally()
    total = int(length_ms * rate / 1000) if length_ms else None
    pace = _by_the_clock(options) if live else full_speed
    records, told = _told(simulation, tally), dict[str, Any](pace=pace, what="simulating", total=total)
    counts = send(chosen, records, **told) if intake is None else send_over_http(intake, records, **told)
    if truth is not None:
        _keep(truth, simulation.truth())
    _report(_summary(options, tally, counts), live, json)
    if counts.stopped_by:
        raise SystemExit(STOPPED + counts.stopped_by)


def _options(chosen: Settings, fixed: dict[str, Any], live: bool, start: str | None) -> Options:
    first = 0 if start is None else _first(start)
    try:
        options = Options(start=first, zone=chosen.timezone, schema_id=_schema_id(chosen), **fixed)
    except OptionError as error:
        fail(str(error), EX_USAGE)
    if start is not None:
        return options
    now = time.time_ns() // 1_000_000
    if not live:
        return replace(options, start=now - (options.duration_ms or 0))
    ready_s = _READY_S + _READY_PER_RECORD_S * records_before(options.customers, options.rate)
    return replace(options, start=now + int(1000 * ready_s))


def _ready(options: Options) -> Simulation:
    try:
        return Simulation(options)
    except KeyboardInterrupt:
        fail("stopped before anything was sent", INTERRUPTED)


def _told(simulation: Simulation, tally: Tally) -> Iterator[Touchpoint | Raw]:
    """The records; each is counted when the next one is asked for, so when it is sent."""
    for record in simulation:
        yield record.content
        tally.add(record)


def _is_live(speed: str, duration: str | None, start: str | None) -> bool:
    if speed not in ("real", "max"):
        fail(f"--speed must be real or max, not {speed!r}", EX_USAGE)
    if speed == "max" and duration is None:
        fail("--speed max needs --for: without an end it would never stop", EX_USAGE)
    if speed == "real" and start is not None:
        fail("--start is for --speed max: a live simulation begins now", EX_USAGE)
    return speed == "real"


def _milliseconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if not match or float(match[1]) == 0:
        fail(f"--for must be a number with ms, s, m, h or d, such as 60s, not {duration!r}", EX_USAGE)
    return max(1, int(float(match[1]) * _UNITS_MS[match[2]]))


def _first(start: str) -> int:
    try:
        moment = datetime.fromisoformat(start)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        fail(f"--start must be a time such as 2026-03-01T08:00:00Z, not {start!r}", EX_USAGE)


def _schema_id(chosen: Settings) -> int:
    try:
        return registry_of(chosen).schema_id("touchpoint", f"{chosen.topic_prefix}touchpoints.other.v1-value")
    except RegistryUnavailable as error:
        fail(str(error), EX_UNAVAILABLE)
    except SchemaUnknown as error:
        fail(str(error), EX_CONFIG)


def _by_the_clock(options: Options) -> Pace:
    """The pace at which a record is sent when its own time has come, however long getting ready took."""
    waited: float | None = None

    def due(index: int, _item: Touchpoint | Raw) -> float:
        nonlocal waited
        if waited is None:
            waited = options.start / 1000 - time.time()
        return waited + index / options.rate

    return due


def _keep(path: Path, truth: dict[str, Any]) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(jsonlib.dumps(truth, indent=2) + "\n")
        fresh.replace(path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}", EX_CANTCREAT)


def _summary(options: Options, tally: Tally, counts: ProducedCounts) -> dict[str, Any]:
    return {
        "seed": options.seed,
        "start": options.start,
        "sent": counts.sent,
        "acknowledged": counts.acknowledged,
        "seconds": round(counts.seconds, 3),
        "wanted_rate": options.rate,
        "achieved_rate": round(counts.sent / counts.seconds, 2) if counts.seconds else 0.0,
        "behind_seconds": round(counts.behind_s, 3),
        "expected": tally.summary(),
        "stopped_by": counts.stopped_by,
    }


def _report(summary: dict[str, Any], live: bool, json: bool) -> None:
    if live and summary["achieved_rate"] < _NOTICED * summary["wanted_rate"] and summary["behind_seconds"] > 1:
        achieved, wanted = summary["achieved_rate"], summary["wanted_rate"]
        behind = f"{summary['behind_seconds']:.1f} s behind at the end"
        err.print(f"fell behind: {achieved:g} instead of {wanted:g} records a second, {behind}", style="yellow")
    if json:
        as_json(summary)
        return
    expected = summary["expected"]
    took = f"{summary['seconds']:.1f} s, {summary['achieved_rate']:,.0f} a second"
    out.print(f"sent {summary['sent']:,} records ({took}), all acknowledged")
    out.print(f"  {expected['stored']:>9,}  to be stored, {expected['late']:,} of them late")
    out.print(f"  {expected['duplicates']:>9,}  duplicates")
    out.print(f"  {expected['rejected']:>9,}  to be rejected")
