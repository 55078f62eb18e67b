"""`touchstream config`: the settings in force."""

from typing import Annotated

import typer

from pipeline.cli.output import as_json, out, settings
from pipeline.config import PREFIX, Settings, shown


def config(json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False) -> None:
    """Print every setting with its value, secrets hidden, and the variable that sets it.

    Example: TOUCHSTREAM_KAFKA_PORT=9092 touchstream config
    """
    values = shown(settings())
    if json:
        as_json(values)
        return
    for name, value in values.items():
        out.print(f"{PREFIX + name.upper():36}{value or '-':28}{Settings.model_fields[name].description}", markup=False)
