"""`touchstream db`: the tables' migrations."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline import endpoints
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, as_json, fail, out, settings
from sinks import migrations
from sinks.clickhouse import ClickHouse, Refused, Unavailable

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show and apply migrations of the tables.")
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def status(json: Json = False) -> None:
    """Show which migrations are applied. Exit code 1 when one is pending or has changed since.

    Example: touchstream db status
    """
    _work(apply=False, json=json)


@app.command()
def migrate(json: Json = False) -> None:
    """Apply the migrations that are pending, in order.

    Example: touchstream db migrate
    """
    _work(apply=True, json=json)


def _work(*, apply: bool, json: bool) -> None:
    chosen = settings()
    try:
        server = ClickHouse(chosen, database="default")
        migrations.prepare(server, chosen.clickhouse_database)
        server.close()
        database, listed = ClickHouse(chosen), migrations.listed()
        if apply:
            migrations.migrate(database, listed)
        found = migrations.status(database, listed)
        database.close()
    except endpoints.NotRunning as error:
        fail(str(error), EX_CONFIG)
    except Unavailable as error:
        fail(str(error), EX_UNAVAILABLE)
    except (Refused, migrations.MigrationError) as error:
        fail(str(error), EX_DATAERR)
    if json:
        as_json([asdict(one) for one in found])
    else:
        for one in found:
            out.print(f"{one.state:9}{one.number:04}_{one.name}")
    if any(one.state != "applied" for one in found):
        raise typer.Exit(1)
