"""`touchstream recompute`: the stream against the batch."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from pipeline import accounting
from pipeline.cli.accounts import reading
from pipeline.cli.output import EX_DATAERR, as_json, fail, out, settings
from pipeline.cli.wait import until_idle


def recompute(
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the stages to be done first.")] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Compute everything again from the raw topics, in one go, and compare with ClickHouse field by field.

    Exit code 1 when something differs, 65 when there is nothing to compare or retention has taken records.
    Example: touchstream recompute --json
    """
    chosen = settings()
    until_idle(chosen, timeout)
    with reading("recompute") as progress:
        found = accounting.recomputed(chosen, progress)
    different, refused = (sum(getattr(c, name) for c in found.comparisons) for name in ("different", "refused"))
    if json:
        tables = [{**asdict(c), "different": c.different} for c in found.comparisons]
        counts = {"records": found.records, "different": different, "refused": refused}
        as_json({**counts, "cut": found.cut, "tables": tables})
    else:
        _show(found)
    if not found.records:
        fail("the raw topics are empty: there is nothing to compare", EX_DATAERR)
    if found.cut:
        fail(
            f"retention has taken the oldest records of {', '.join(found.cut)}: what rests on them cannot be computed",
            EX_DATAERR,
        )
    if different:
        raise typer.Exit(1)


def _show(found: accounting.Recomputed) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("table", "computed", "in ClickHouse", "missing", "extra", "differing", "refused"):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for c in found.comparisons:
        table.add_row(c.table, *map(str, (c.expected, c.found, c.missing, c.extra, c.differing, c.refused)))
    out.print(table)
    refused = sum(c.refused for c in found.comparisons)
    if refused:
        out.print(
            f"{refused} rows are not as computed because ClickHouse refused them: see the table rejected, stage sink"
        )
    for c in found.comparisons:
        for example in c.examples:
            out.print(f"{c.table}: {example}", markup=False)
