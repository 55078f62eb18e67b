"""`touchstream topics`: the topics against their table."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline import endpoints, topics_admin
from pipeline.cli.output import EX_CONFIG, EX_UNAVAILABLE, as_json, fail, out, settings
from pipeline.topics_admin import Difference

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Compare the topics with their table, and make missing ones."
)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def plan(json: Json = False) -> None:
    """Show how the broker's topics differ from the table. Exit code 1 when they do.

    Example: touchstream topics plan
    """
    differences, _ = _work(make=False)
    _tell(differences, [], json=json)


@app.command()
def apply(json: Json = False) -> None:
    """Make the topics that are missing. A topic that exists is never changed: differences are shown, exit code 1.

    Example: touchstream topics apply
    """
    differences, made = _work(make=True)
    _tell(differences, made, json=json)


def _work(*, make: bool) -> tuple[list[Difference], list[str]]:
    chosen = settings()
    try:
        admin: Any = topics_admin.open_admin(endpoints.kafka(chosen))
        try:
            differences, made = topics_admin.plan(admin, chosen), []
            if make:
                made = topics_admin.create_missing(admin, chosen, differences)
                differences = topics_admin.plan(admin, chosen)
        finally:
            admin.close()
    except endpoints.NotRunning as error:
        fail(str(error), EX_CONFIG)
    except topics_admin.TopicsError as error:
        fail(str(error), EX_UNAVAILABLE)
    return differences, made


def _tell(differences: list[Difference], made: list[str], *, json: bool) -> None:
    if json:
        as_json({"made": made, "differences": [asdict(d) for d in differences]})
    else:
        for name in made:
            out.print(f"made     {name}")
        for d in differences:
            out.print(
                f"missing  {d.topic}: {d.desired}"
                if d.actual is None
                else f"differs  {d.topic}: {d.what} is {d.actual}, not {d.desired}"
            )
        if not differences:
            out.print("all topics are as the table has them")
    if differences:
        raise typer.Exit(1)
