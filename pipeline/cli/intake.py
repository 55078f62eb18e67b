"""`touchstream intake`: what other systems send, as touchpoints; trying how it would come out."""

import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer

from pipeline.cli import intake_text
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_NOINPUT, as_json, err, fail, out, settings
from pipeline.config import Settings, installation_secret
from pipeline.replay import ready
from pipeline.replay.fields import MappingFault
from pipeline.replay.lines import FileFault, Unreadable
from pipeline.replay.plan import Mapping
from pipeline.replay.rows import read_rows
from pipeline.replay.trial import tried
from pipeline.rules import limits_of

_NO_SECRET: Final = b"no secret is made for trying"
app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Try how what other systems send becomes touchpoints."
)


@app.command("try")
def try_it(
    mapping: Annotated[str, typer.Argument(help="A ready mapping's name, or a mapping file.")],
    file: Annotated[Path, typer.Argument(help="A file of what the system sends; may be gzipped.")],
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="Read so many rows at most.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document for each row.")] = False,
) -> None:
    """Show row by row which touchpoints would come out, and why not; nothing is sent.

    They are judged as they would be on their way. Shows the personal data that the file holds: that is what it is for.
    Event ids are those of a replay where the installation has its secret already.

    Example: touchstream intake try asterisk docs/examples/asterisk.csv
    """
    chosen, plan = settings(), _mapping(mapping)
    counts: Counter[str] = Counter()
    rows = islice(read_rows(file, plan.layout, plan.columns), limit)
    fault: FileFault | None = None
    try:
        for one in tried(rows, plan, _secret(chosen), int(time.time() * 1000), limits_of(chosen)):
            intake_text.count(one, counts)
            if json:
                as_json(intake_text.said(one))
            else:
                for line in intake_text.lines(one):
                    out.print(line, markup=False)
    except FileFault as error:
        fault = error
    if counts:
        err.print(intake_text.summary(counts), markup=False)
    if fault:
        fail(str(fault), EX_NOINPUT if isinstance(fault, Unreadable) else EX_DATAERR)
    if not counts["taken"]:
        fail(f"nothing in {file} would be taken", EX_DATAERR)


@app.command()
def mappings(
    name: Annotated[str | None, typer.Argument(help="Print this one, to be changed in a file of your own.")] = None,
) -> None:
    """List the ready mappings, each with what it reads; or print one.

    Example: touchstream intake mappings asterisk > my-exchange.toml
    """
    if name is not None:
        try:
            typer.echo(ready.text(name), nl=False)
        except MappingFault as error:
            fail(str(error), EX_CONFIG)
        return
    for known in ready.names():
        out.print(f"{known:12} {ready.ready(known).about}", markup=False)


def _mapping(name_or_path: str) -> Mapping:
    try:
        return ready.find(name_or_path)
    except MappingFault as error:
        fail(str(error), EX_CONFIG)


def _secret(chosen: Settings) -> bytes:
    """The installation's secret if there is one: trying leaves nothing behind."""
    if not chosen.secret.get_secret_value() and not (chosen.home / "secret").exists():
        return _NO_SECRET
    try:
        return installation_secret(chosen)
    except OSError as error:
        fail(f"cannot read the installation's secret in {chosen.home}: {error.strerror}", EX_CONFIG)
