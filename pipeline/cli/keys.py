"""`touchstream keys`: who may send touchpoints over HTTP."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from pipeline.cli.output import EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_USAGE, as_json, err, fail, out, settings
from pipeline.cli.rejected_text import time_text
from pipeline.intake import keyfile, mapping_files
from pipeline.intake.keyfile import KeysUnreadable
from pipeline.intake.keys import ORIGIN_FORM, SOURCE_FORM, Key, hashed, rotated, text_of, without
from pipeline.replay import ready
from pipeline.replay.fields import MappingFault

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Say who may send touchpoints over HTTP.")
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
_SPAN: Final = re.compile(r"(0|[1-9][0-9]{0,5})([smhd]?)")
_UNIT_MS: Final = {"": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@app.command()
def add(
    source: Annotated[
        str, typer.Argument(help="The system that sends: web-shop, pbx-north. Stamped on its touchpoints.")
    ],
    *,
    origin: Annotated[
        list[str] | None, typer.Option(help="A web page's origin that may use the key, such as https://shop.example.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Most events a second of this source; 0: no limit.")] = 0.0,
    mapping: Annotated[
        str,
        typer.Option(
            help="What comes is another system's: a ready mapping (`touchstream intake mappings`), or a file."
        ),
    ] = "",
    expires: Annotated[str, typer.Option(help="The key ends after this time, such as 90d; without it, never.")] = "",
    json: Json = False,
) -> None:
    """Make a key for a source. It is shown once: only its hash is kept.

    Example: touchstream keys add web-shop --origin https://shop.example --rate 500
    """
    if not SOURCE_FORM.fullmatch(source):
        fail(f"a source is named like web-shop or pbx-north, not {source!r}", EX_USAGE)
    for one in origin or []:
        if not ORIGIN_FORM.fullmatch(one):
            fail(f"an origin is like https://shop.example, without a path, not {one!r}", EX_USAGE)
    now = _now()
    until = now + _milliseconds(expires) if expires else None
    given = {"origins": tuple(origin or ()), "rate": rate, "mapping": _mapping(mapping), "expires_at": until}
    key, text = _fresh(source, now, **given)
    with _keys() as keys:
        keys.append(key)
    _tell(key, text, json)


@app.command()
def rotate(
    source: Annotated[str, typer.Argument(help="Whose key.")],
    *,
    overlap: Annotated[
        str, typer.Option(help="For so long the old keys hold, too: 30m, 24h, 7d; 0 ends them now.")
    ] = "24h",
    json: Json = False,
) -> None:
    """Make a fresh key like the source's newest, and let its older ones end after the overlap.

    Example: touchstream keys rotate web-shop --overlap 7d
    """
    now, span = _now(), _milliseconds(overlap)
    with _keys() as keys:
        own = [key for key in keys if key.source == source and key.holds(now)]
        if not own:
            fail(f"no key of {source} holds: `touchstream keys add {source}` makes one", EX_DATAERR)
        last = max(own, key=lambda one: one.created_at)
        key, text = _fresh(source, now, origins=last.origins, rate=last.rate, mapping=last.mapping)
        keys[:] = rotated(keys, source, key, now + span)
    _tell(key, text, json)


@app.command()
def revoke(
    names: Annotated[list[str], typer.Argument(help="Names of keys as `list` shows them.")],
) -> None:
    """End keys at once.

    Example: touchstream keys revoke 3f9a0c12b4d7
    """
    with _keys() as keys:
        unknown = set(names) - {key.name for key in keys}
        if unknown:
            fail(f"no such key: {', '.join(sorted(unknown))}", EX_DATAERR)
        keys[:] = without(keys, names)


@app.command("list")
def list_them(json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: touchstream keys list --json
    """
    file, now = keyfile.path(settings()), _now()
    try:
        keys = keyfile.read(file)
    except KeysUnreadable as error:
        fail(str(error), EX_CONFIG)
    if json:
        as_json([_said(key, now) for key in keys])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "source", "mapping", "made", "ends", "events/s", "origins"):
        table.add_column(heading)
    for key in keys:
        ends = time_text(key.expires_at) if key.expires_at else ""
        state = ends if key.holds(now) else f"{ends} (ended)"
        table.add_row(
            key.name, key.source, key.mapping, time_text(key.created_at), state, f"{key.rate:g}", " ".join(key.origins)
        )
    out.print(table)


def _mapping(name: str) -> str:
    """The mapping as the intake finds it, from whatever folder that is started."""
    if not name:
        return ""
    try:
        mapping_files.find(name)
    except MappingFault as fault:
        fail(str(fault), EX_CONFIG)
    return name if name in ready.names() else str(Path(name).absolute())


def _fresh(source: str, now: int, **options: Any) -> tuple[Key, str]:
    name, secret = secrets.token_hex(6), secrets.token_hex(32)
    return Key(name=name, source=source, sha256=hashed(secret), created_at=now, **options), text_of(name, secret)


def _tell(key: Key, text: str, json: bool) -> None:
    if json:
        as_json({**_said(key, key.created_at), "key": text})
        return
    err.print(f"the key of {key.source}; it is not shown again:")
    out.print(text, markup=False)


def _said(key: Key, now: int) -> dict[str, Any]:
    return {
        "name": key.name,
        "source": key.source,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "holds": key.holds(now),
        "rate": key.rate,
        "origins": list(key.origins),
        "mapping": key.mapping,
    }


@contextmanager
def _keys() -> Iterator[list[Key]]:
    """The keys, to be changed; whatever goes wrong with their file ends the command."""
    file = keyfile.path(settings())
    try:
        with keyfile.changing(file) as keys:
            yield keys
    except KeysUnreadable as error:
        fail(str(error), EX_CONFIG)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}", EX_CANTCREAT)


def _milliseconds(span: str) -> int:
    match = _SPAN.fullmatch(span)
    if not match:
        fail(f"{span!r} is no time: 30m, 24h or 7d", EX_USAGE)
    return int(match[1]) * _UNIT_MS[match[2]]


def _now() -> int:
    return time.time_ns() // 1_000_000
