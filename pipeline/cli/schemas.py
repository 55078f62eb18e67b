"""`touchstream schemas`: are the schemas a contract that holds, and does the registry have them?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from pipeline import topics
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, as_json, err, fail, out, settings
from pipeline.rules import registry_of
from pipeline.schema_registration import register as registering
from schemas import check as contract
from schemas import registry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Check the schemas' compatibility, and register them."
)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
GOLDEN: Final = Path("tests", "contracts", "golden")


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="A folder laid out like schemas/; default: our own.")] = None,
    *,
    against: Annotated[
        Path | None, typer.Option("--against", help="Such a folder as published: nothing of it may have changed.")
    ] = None,
    golden: Annotated[
        Path | None, typer.Option(help="Where each version's pinned bytes lie; default: the tests' own.")
    ] = None,
    json: Json = False,
) -> None:
    """Check every version of every record with every other, both ways, and the ids. Needs no server. Exit code 65 for faults.

    Example: touchstream schemas check --against ../touchstream-0.1/schemas
    """
    chosen = folder or registry.HERE
    pinned = golden or _golden_beside(chosen)
    try:
        faults = contract.faults(chosen, pinned)
        faults += contract.changed(chosen, against) if against else []
        files = contract.read(chosen).files
    except contract.FolderUnreadable as error:
        fail(str(error), EX_NOINPUT)
    if json:
        as_json(
            {
                "versions": len(files),
                "golden": None if pinned is None else str(pinned),
                "faults": [{**asdict(fault), "message": str(fault)} for fault in faults],
            }
        )
    else:
        for fault in faults:
            err.print(f"touchstream: {fault}", style="red", markup=False)
        if not faults:
            records = len({record for record, _ in files})
            out.print(f"{records} records in {len(files)} versions: every version can read every other")
            if pinned is None:
                out.print("pinned bytes were not looked at: there are none beside this folder (--golden names them)")
    if faults:
        raise typer.Exit(EX_DATAERR)


@app.command()
def register(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Register nothing, say what is missing.")] = False,
    json: Json = False,
) -> None:
    """Register every schema of the topics with the registry of the settings, compatibility FULL_TRANSITIVE.

    Exit code 65 when the registry refuses one, 69 when it does not answer, 1 when a dry run finds one missing.

    Example: TOUCHSTREAM_REGISTRY_URL=http://registry:8081 touchstream schemas register
    """
    chosen = settings()
    found = registry_of(chosen)
    if not isinstance(found, registry.HttpRegistry):
        fail("there is no registry to register with: set TOUCHSTREAM_REGISTRY_URL", EX_CONFIG)
    done = []
    try:
        for one in registering(found, topics.subjects(chosen.topic_prefix), dry_run=dry_run):
            done.append(one)
            if not json:
                out.print(f"{one.state:11}{one.subject} version {one.version}, id {one.schema_id or '-'}", markup=False)
    except registry.RegistryUnavailable as error:
        fail(str(error), EX_UNAVAILABLE)
    except registry.SchemaUnknown as error:
        fail(str(error), EX_DATAERR)
    if json:
        as_json([asdict(one) for one in done])
    if any(one.state == "missing" for one in done):
        raise typer.Exit(1)


def _golden_beside(folder: Path) -> Path | None:
    beside = folder.resolve().parent / GOLDEN
    return beside if beside.is_dir() else None
