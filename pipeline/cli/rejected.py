"""`touchstream rejected`: the rejected records, and sending them again when the fault is mended."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from pipeline import crash, endpoints, redriver, rejected_rows
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, EX_USAGE, as_json, err, fail, out, settings
from pipeline.cli.rejected_text import lines, outcome, said, shown
from pipeline.config import Settings
from pipeline.events import Reason
from pipeline.patch import PatchUnfit, patch_of
from pipeline.rawlog import RawLogError
from pipeline.redrive_judging import Mending
from pipeline.redriver import RedriveFailed
from pipeline.redrives import Place, before_of, place_of
from pipeline.redriving import Outcome, Redriving, decoders_of
from pipeline.rejected_rows import Wanted, full_name, since_ms
from schemas.registry import RegistryUnavailable, SchemaUnknown
from sinks.clickhouse import ClickHouse, Refused, Unavailable

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show rejected records, and send them again when the fault is mended.",
)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
OfReason = Annotated[str, typer.Option("--reason", help="Only those with this reason, such as scale_invalid.")]
OfTopic = Annotated[
    str, typer.Option("--topic", help="Only those that came from this topic, such as touchpoints.web.v1.")
]
OfStage = Annotated[
    str, typer.Option("--stage", help="Only those that this stage rejected: intake, resolve, journey, sink.")
]
OfSource = Annotated[str, typer.Option("--source", help="Only those of this source, where it could be read.")]
Since = Annotated[str, typer.Option("--since", help="Only those rejected since: 30m, 12h, 7d, or 2026-11-22T08:00Z.")]
MOST: Final = 1_000_000
COLUMNS: Final = {
    "rejected_at": "rejected at",
    "place": "place",
    "stage": "stage",
    "source": "source",
    "reason": "reason",
    "field": "field",
    "expected": "expected",
    "got": "got",
    "sent_again": "sent again",
}


@app.command("list")
def list_them(
    *,
    reason: OfReason = "",
    topic: OfTopic = "",
    stage: OfStage = "",
    source: OfSource = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many, newest first.")] = 20,
    json: Json = False,
) -> None:
    """List rejected records, newest first, and whether they were sent again.

    Example: touchstream rejected list --reason scale_invalid --since 12h
    """
    chosen = settings()
    wanted = replace(_wanted(chosen, reason, topic, source, since), stage=stage)
    with _working(chosen) as database:
        total, found = rejected_rows.count(database, wanted), rejected_rows.find(database, wanted, limit)
        known = redriver.ledger(chosen)
    before = before_of(known)
    told = [said(one, known, before) for one in found]
    if json:
        as_json({"count": total, "rejected": told})
        return
    table = Table(box=None, pad_edge=False)
    for heading in COLUMNS.values():
        table.add_column(heading)
    for one in told:
        table.add_row(*(escape(str(one[name] or "")) for name in COLUMNS))
    out.print(table)
    if total > len(found):
        out.print(f"{len(found)} of {total:,}; --limit shows more".replace(",", " "))


@app.command()
def show(
    place: Annotated[str, typer.Argument(help="topic-partition@offset, as `list` shows it.")], json: Json = False
) -> None:
    """Show one rejected record: why, its bytes, and its fields where they can be read. It may hold personal data.

    Example: touchstream rejected show cx.touchpoints.web.v1-3@1204
    """
    chosen, where = settings(), _place(place)
    with _working(chosen) as database:
        found = rejected_rows.at(database, [where])
        known = redriver.ledger(chosen)
        decoders = decoders_of(chosen)
        told = [{**said(one, known, before_of(known)), **shown(one, decoders)} for one in found]
    if not told:
        fail(f"no rejected record has come from {where}", EX_DATAERR)
    if json:
        as_json(told)
        return
    for one in told:
        for name, value in one.items():
            if value not in (None, ""):
                out.print(f"{name:12} {value}", markup=False)


@app.command()
def redrive(
    places: Annotated[
        list[str] | None, typer.Argument(help="Places as `list` shows them; or say which by options.")
    ] = None,
    *,
    reason: OfReason = "",
    topic: OfTopic = "",
    stage: OfStage = "",
    source: OfSource = "",
    since: Since = "",
    every: Annotated[bool, typer.Option("--all", help="Every rejected record.")] = False,
    patch: Annotated[Path | None, typer.Option(help="JSON Merge Patch for each record.")] = None,
    instead: Annotated[
        Path | None, typer.Option("--replace", help="One event in JSON to send in place of one record.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing, say what would come of it.")] = False,
    json: Json = False,
) -> None:
    """Send rejected records to their topics again, each at most once, those alone that would now be taken.

    Exit code 1 when some were not sent: they would be rejected again, or have been sent before.

    Example: touchstream rejected redrive --reason scale_invalid --patch scale.json --dry-run
    """
    chosen = settings()
    if bool(places) == bool(reason or topic or stage or source or since or every):
        fail("say which: places, or --reason, --topic, --stage, --source, --since, or --all", EX_USAGE)
    if instead and (patch or len(places or []) != 1):
        fail("--replace goes with one place, and without --patch", EX_USAGE)
    crash.arm(os.environ)
    mending, outcomes = _mending(patch, instead), list[Outcome]()
    with _working(chosen) as database, err.status("redrive: reading what was rejected") as status:

        def hear(one: Outcome) -> None:
            outcomes.append(one)
            status.update(f"redrive: {len(outcomes):,} of {len(which):,}".replace(",", " "))

        which = [_place(text) for text in places or []]
        if not which:
            wanted = replace(_wanted(chosen, reason, topic, source, since), stage=stage)
            which = [one.place for one in rejected_rows.find(database, wanted, MOST + 1)]
            if len(which) > MOST:
                fail(
                    f"more than {MOST:,} records are meant: narrow it by --reason, --topic, --source or --since",
                    EX_USAGE,
                )
        work = Redriving(chosen, database, mending, lambda: int(time.time() * 1000), hear)
        (work.look if dry_run else work.send)(which)
    counts = Counter[str](one.status for one in outcomes)
    if json:
        as_json({"counts": dict(counts), "records": [outcome(one) for one in outcomes]})
    else:
        for line in lines(outcomes, counts):
            out.print(line, markup=False)
    if counts["unsendable"] or counts["sent_before"]:
        raise typer.Exit(1)


@contextmanager
def _working(chosen: Settings) -> Iterator[ClickHouse]:
    try:
        database = ClickHouse(chosen)
        try:
            yield database
        finally:
            database.close()
    except (endpoints.NotRunning, SchemaUnknown) as error:
        fail(str(error), EX_CONFIG)
    except (RawLogError, RedriveFailed, Unavailable, Refused, RegistryUnavailable) as error:
        fail(str(error), EX_UNAVAILABLE)


def _wanted(chosen: Settings, reason: str, topic: str, source: str, since: str) -> Wanted:
    if reason and reason not in set(Reason):
        fail(f"no such reason: {reason} (docs/rejections.md has them all)", EX_USAGE)
    try:
        begin = since_ms(since, int(time.time() * 1000))
    except ValueError as error:
        fail(str(error), EX_USAGE)
    return Wanted(reason, topic=full_name(chosen.topic_prefix, topic), source=source, since=begin)


def _place(text: str) -> Place:
    try:
        return place_of(text)
    except ValueError as error:
        fail(str(error), EX_USAGE)


def _mending(patch: Path | None, instead: Path | None) -> Mending:
    try:
        change = None if patch is None else patch_of(patch.read_text(encoding="utf-8"))
        return Mending(change, None if instead is None else instead.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read {patch or instead}: {error}", EX_USAGE)
    except PatchUnfit as error:
        fail(str(error), EX_DATAERR)
