"""`touchstream customer`: what is known of one customer."""

import json as jsonlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline import endpoints
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, as_json, fail, out, settings

TIMEOUT_S = 15.0


def customer(
    identifier: Annotated[
        str, typer.Argument(help="namespace:value, for example email:ann@example.org, or a person's p_ name.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many touchpoints, newest first.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Show a customer's channels, scores, sessions and latest touchpoints.

    Example: touchstream customer customer:cdnow-00001
    """
    base = endpoints.known(settings()).serve
    if not base:
        fail("the board's process does not run: start it with `touchstream up`", EX_CONFIG)
    found = _get(f"{base}/v1/customers/{urllib.parse.quote(identifier, safe='')}?limit={limit}")
    as_json(found) if json else _show(found)


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = jsonlib.load(answer)
            return found
    except urllib.error.HTTPError as error:
        fail(_reason(error), EX_DATAERR if error.code in (404, 422) else EX_UNAVAILABLE)
    except OSError as error:
        fail(f"the board's process does not answer: {getattr(error, 'reason', error)}", EX_UNAVAILABLE)


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        body = jsonlib.load(error)
    except ValueError:
        body = {}
    said = body.get("detail") or body.get("error") or f"HTTP {error.code}"
    return str(said["message"] if isinstance(said, dict) and "message" in said else said)


def _show(found: dict[str, Any]) -> None:
    out.print(found["person"], style="bold")
    out.print(f"seen      {found['first_seen_at']} to {found['last_seen_at']}")
    out.print("channels  " + ", ".join(f"{name} {n}" for name, n in found["channels"].items()))
    for amount in found["amounts"]:
        out.print(f"money     {amount['currency']} {amount['minor_units'] / 100:,.2f} in {amount['payments']} payments")
    for score in found["scores"]:
        if score["value"] is not None:
            out.print(f"score     {score['metric']} {score['window']}: {score['value']:.1f} (n {score['n']})")
    table = Table(box=None, pad_edge=False)
    for heading in ("occurred", "channel", "event", "source", "outcome"):
        table.add_column(heading)
    for touch in found["timeline"]:
        row = (touch["occurred_at"], touch["channel"], touch["event_type"], touch["source"], touch.get("outcome") or "")
        table.add_row(*map(str, row))
    out.print(table)
