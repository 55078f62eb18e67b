"""`touchstream reconcile`: every record accounted for."""

from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline import accounting
from pipeline.cli.accounts import reading
from pipeline.cli.output import as_json, out, settings
from pipeline.cli.wait import until_idle
from pipeline.reconcile import HOUR_MS, Account, total

COLUMNS = {
    "received": "received",
    "stored": "stored",
    "rejected": "rejected",
    "duplicate": "duplicate",
    "rekeyed": "rekeyed",
    "beyond_horizon": "beyond the horizon",
    "erased": "erased",
    "unexplained": "unexplained",
}
SHOWN = 20


def reconcile(
    hours: Annotated[bool, typer.Option("--hours", help="A line for each hour of arrival too.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the stages to be done first.")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON, per partition and hour.")] = False,
) -> None:
    """Prove that received = stored + rejected + duplicate + rekeyed + erased, and name every offset that is unexplained.

    It accounts for what has arrived when it begins. A duplicate beyond the horizon is one that the stage took for new.

    Exit code 1 when one is.
    Example: touchstream reconcile --hours
    """
    chosen = settings()
    with reading("reconcile"):
        upto = accounting.ends(chosen)  # before waiting, so that what comes in meanwhile is nobody's fault
    until_idle(chosen, timeout)
    with reading("reconcile") as progress:
        found = accounting.accounts(chosen, progress, upto)
    whole = total(found)
    if json:
        as_json({**whole, "accounts": [{**asdict(a), "hour": _hour(a)} for a in found]})
    else:
        _show(found, whole, hours=hours)
    if whole["beyond_horizon"] and not json:
        out.print(
            f"{_number(whole['beyond_horizon'])} of the duplicates came beyond the horizon of {chosen.dedupe_horizon_h} h: "
            "the tables keep one row for each, sums over persons count it again"
        )
    if whole["unexplained"]:
        raise typer.Exit(1)


def _hour(account: Account) -> str:
    return datetime.fromtimestamp(account.hour * HOUR_MS / 1000, UTC).strftime("%Y-%m-%dT%H:00Z")


def _show(found: list[Account], whole: dict[str, int], *, hours: bool) -> None:
    table = Table(box=None, pad_edge=False)
    columns = {name: shown for name, shown in COLUMNS.items() if name != "beyond_horizon" or whole[name]}
    for heading in ("partition", *(["hour"] if hours else []), *columns.values()):
        table.add_column(heading, justify="left" if heading in ("partition", "hour") else "right")
    groups: dict[tuple[Any, ...], list[Account]] = defaultdict(list)
    for account in found:
        name = f"{account.topic}-{account.partition}"
        groups[(name, _hour(account)) if hours else (name,)].append(account)
    for names, members in groups.items():
        sums = total(members)
        table.add_row(*names, *(_number(sums[name]) for name in columns))
    table.add_row("all", *([""] if hours else []), *(_number(whole[name]) for name in columns), style="bold")
    out.print(table)
    unexplained = [f"{a.topic}-{a.partition}@{offset}" for a in found for offset in a.unexplained]
    for place in unexplained[:SHOWN]:
        out.print(f"unexplained: {place}")
    if len(unexplained) > SHOWN:
        out.print(f"and {len(unexplained) - SHOWN} more; --json names them all")


def _number(n: int) -> str:
    return f"{n:,}".replace(",", " ")
