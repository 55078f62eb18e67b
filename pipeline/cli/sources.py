"""`touchstream sources`: how each source fares."""

import http.client
import json as jsonlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from pipeline import endpoints
from pipeline.cli.output import EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, as_json, fail, out, settings

TIMEOUT_S = 35.0


def sources(
    name: Annotated[str, typer.Argument(help="Only this source, in full.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Show how each source fares: last event, rate now and usual, rejected share, open alerts.

    Example: touchstream sources
    """
    base = endpoints.known(settings()).serve
    if not base:
        fail("the board's process does not run: start it with `touchstream up`", EX_CONFIG)
    found = _get(f"{base}/v1/sources{'/' + urllib.parse.quote(name, safe='') if name else ''}")
    if json:
        as_json(found)
    elif name:
        _show_one(found["source"])
    else:
        _show_all(found)


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = jsonlib.load(answer)
            return found
    except urllib.error.HTTPError as error:
        try:
            said = jsonlib.load(error)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            said = f"HTTP {error.code}"
        fail(str(said), EX_DATAERR if error.code in (404, 422) else EX_UNAVAILABLE)
    except (OSError, ValueError, http.client.HTTPException) as error:
        fail(f"the board's process does not answer: {getattr(error, 'reason', error)}", EX_UNAVAILABLE)


def _show_all(found: dict[str, Any]) -> None:
    if not found["sources"]:
        out.print("no source has sent anything within eight weeks")
        return
    table = _table("source", "state", "last event", "last 60 min", "usual", "rejected", "kinds of data")
    for one in found["sources"]:
        usual = "not known yet" if one["usual_rate"] is None else f"{one['usual_rate']:.0f}"
        kinds = ", ".join(one["data_kinds"])
        table.add_row(
            *map(escape, (one["name"], one["state"], one["last_event"] or "never", str(one["rate"]), usual)),
            _share(one["rejected_share"]),
            kinds,
        )
    out.print(table)
    if found["alerts"] is None:
        out.print("alerts: Kafka does not tell")
    for alert in found["alerts"] or ():
        out.print(f"{alert['severity']}  {alert['rule']} since {alert['raised_at']}: {alert['summary']}", markup=False)


def _show_one(one: dict[str, Any]) -> None:
    out.print(one["name"], style="bold", markup=False)
    usual = "not known yet" if one["usual_rate"] is None else f"{one['usual_rate']:.0f}, told by the {one['usual_by']}"
    out.print(f"state       {one['state']}")
    out.print(f"last event  {one['last_event'] or 'never'}")
    if one["silent_at"]:
        out.print(f"silent      from {one['silent_at']} on, if nothing comes")
    out.print(f"rate        {one['rate']} touchpoints in the last 60 min; usual: {usual}")
    reasons = ", ".join(f"{reason} {n}" for reason, n in one["rejected_reasons"].items())
    said = f"rejected    {one['rejected']} of {one['received']} records" + (f": {reasons}" if reasons else "")
    # A reason may be another tool's, and look like anything.
    out.print(said, markup=False)
    for kind in one["kinds"]:
        out.print(f"{kind['name']:<12}{kind['touchpoints']}: {', '.join(kind['event_types'])}", markup=False)
    for words, delay in (("late", one["lateness"]), ("clock", one["clock"])):
        if delay["sampled"]:
            told = ", ".join(f"{p} {delay[p]}" for p in ("p5", "p50", "p95", "p99") if delay[p] is not None)
            out.print(f"{words:<12}{told} ms, of {delay['sampled']} touchpoints of the last day")
    for line in [*one["findings"], *(alert["summary"] + " (open alert)" for alert in one["alerts"] or ())]:
        out.print(f"! {line}", markup=False)
    fields = _table("field", f"filled, latest {one['fields_of']}", "four weeks before", "")
    for field in one["fields"]:
        if field["share"] or field["share_before"]:
            fields.add_row(
                field["name"],
                _share(field["share"]),
                _share(field["share_before"]),
                "drifts" if field["drifting"] else "",
            )
    out.print(fields)
    hours = _table("hour", "touchpoints", "usual", "rejected")
    for hour in one["hours"][-24:]:
        usual = "" if hour["usual"] is None else f"{hour['usual']:.0f}"
        hours.add_row(hour["hour"], str(hour["touchpoints"]), usual, str(hour["rejected"]))
    out.print(hours)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}%"
