"""`touchstream replay`: real data sets, or a file of your own with a mapping, as touchpoints on Kafka."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from pipeline.cli.output import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_DATAERR,
    EX_NOINPUT,
    EX_UNAVAILABLE,
    EX_USAGE,
    as_json,
    err,
    fail,
    out,
    settings,
)
from pipeline.cli.sending import INTERRUPTED, STOPPED, counted, positive, send
from pipeline.config import Settings, installation_secret
from pipeline.events import Touchpoint
from pipeline.produce import ProducedCounts, by_event_time, full_speed
from pipeline.replay import datasets, mapping, ready
from pipeline.replay.fields import MappingFault
from pipeline.replay.lines import Unreadable
from pipeline.replay.plan import Mapping
from pipeline.replay.source import SHOWN, Account, touchpoints


def replay(
    what: Annotated[
        str, typer.Argument(help="cdnow, ecom, or a file of your own (CSV or JSON lines, may be gzipped).")
    ],
    *,
    mapping_file: Annotated[
        str | None,
        typer.Option(
            "--mapping", help="How the file's rows become touchpoints: a mapping file, or a ready one's name."
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="max: at once; or how many times as fast as the touchpoints' own times.")
    ] = "max",
    limit: Annotated[int | None, typer.Option(min=1, help="Send so many touchpoints at most.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Write every row that does not fit to this file, as JSON lines.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Replay a data set or a file as touchpoints.

    The same file gives the same event ids, so that replaying it again changes nothing.

    Example: touchstream replay docs/examples/asterisk.csv --mapping asterisk
    """
    chosen = settings()
    factor = positive(speed, "--speed")
    path, plan, total = _source(what, mapping_file, chosen)
    account = Account()
    sent: Counter[str] = Counter()
    with _rejects(rejects, path) as kept:
        stream = touchpoints(path, plan, _secret(chosen), account, kept)
        items = islice(_begun(stream, what, account), limit)
        noted = counted(items, lambda touchpoint: sent.update((touchpoint.event_type,)))
        pace = by_event_time(factor) if factor else full_speed
        wanted = min(filter(None, (limit, total)), default=None)
        counts = send(chosen, noted, pace=pace, what=f"replaying {what}", total=wanted)
    _report(_summary(what, account, counts, sent), account, json)
    if counts.stopped_by:
        raise SystemExit(STOPPED + counts.stopped_by)
    if account.fault:
        fail(f"{account.fault}; what came before is sent", EX_DATAERR)


def _source(what: str, mapping_file: str | None, chosen: Settings) -> tuple[Path, Mapping, int | None]:
    """The file, its mapping, and how many touchpoints it has if that is known."""
    try:
        known = datasets.listed().get(what)
        if known:
            if mapping_file:
                fail(f"{what} has its own mapping; for a file of that name write ./{what}", EX_USAGE)
            return datasets.fetched(known, chosen.home / "datasets"), mapping.read(known.mapping), known.rows
        path = Path(what)
        if mapping_file is None:
            names = " nor ".join(datasets.listed())
            fail(f"{what} is neither {names}: a file needs --mapping, see docs/mappings.md", EX_USAGE)
        return path, ready.find(mapping_file), None
    except datasets.DatasetError as error:
        fail(str(error), EX_UNAVAILABLE)
    except MappingFault as error:
        fail(str(error), EX_CONFIG)
    except KeyboardInterrupt:
        fail("stopped before anything was sent", INTERRUPTED)


def _secret(chosen: Settings) -> bytes:
    try:
        return installation_secret(chosen)
    except OSError as error:
        fail(f"cannot keep the installation's secret in {chosen.home}: {error.strerror}", EX_CONFIG)


@contextmanager
def _rejects(path: Path | None, source: Path) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        if path.exists() and source.exists() and path.samefile(source):
            fail(f"--rejects would overwrite {source} itself", EX_USAGE)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}", EX_CANTCREAT)
    with file:
        yield file


def _begun(stream: Iterator[Touchpoint], what: str, account: Account) -> Iterator[Touchpoint]:
    """The same stream; a file without any touchpoint ends the command before Kafka is asked for."""
    try:
        first = list(islice(stream, 1))
    except KeyboardInterrupt:
        fail("stopped before anything was sent", INTERRUPTED)
    if not first:
        _list_rejects(account)
        if account.fault:
            fail(str(account.fault), EX_NOINPUT if isinstance(account.fault, Unreadable) else EX_DATAERR)
        left_out = f", {account.left_out:,} are left out by its conditions" if account.left_out else ""
        counts = f"of {account.rows:,} rows {account.rejected:,} do not fit{left_out}"
        fail(f"nothing in {what} fits the mapping: {counts}", EX_DATAERR)
    return chain(first, stream)


def _summary(what: str, account: Account, counts: ProducedCounts, sent: Counter[str]) -> dict[str, Any]:
    return {
        "source": what,
        "sent": counts.sent,
        "acknowledged": counts.acknowledged,
        "seconds": round(counts.seconds, 3),
        "per_second": round(counts.sent / counts.seconds) if counts.seconds else 0,
        "rows": account.rows,
        "fitted": account.fitted,
        "left_out": account.left_out,
        "rejected": account.rejected,
        "reasons": dict(account.reasons),
        "rejects": [{"line": one.line, "field": one.field, "reason": one.reason} for one in account.first],
        "event_types": dict(sorted(sent.items())),
        "stopped_by": counts.stopped_by,
    }


def _report(summary: dict[str, Any], account: Account, json: bool) -> None:
    if json:
        as_json(summary)
        return
    rate = f"{summary['seconds']:.1f} s, {summary['per_second']:,} a second"
    out.print(f"sent {summary['sent']:,} touchpoints of {summary['source']} ({rate}), all acknowledged", markup=False)
    for event_type, count in summary["event_types"].items():
        out.print(f"  {count:>9,}  {event_type}", markup=False)
    if account.left_out:
        out.print(f"left out by the mapping's conditions: {account.left_out:,} rows", markup=False)
    _list_rejects(account)


def _list_rejects(account: Account) -> None:
    if not account.rejected:
        return
    err.print(f"{account.rejected:,} of {account.rows:,} rows do not fit:", markup=False)
    for one in account.first:
        err.print(f"  line {one.line}: {one.field + ': ' if one.field else ''}{one.reason}", markup=False)
    if account.rejected > SHOWN:
        err.print(f"  and {account.rejected - SHOWN:,} more; --rejects FILE writes them all", markup=False)
