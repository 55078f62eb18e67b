"""How `touchstream intake try` tells what would become of rows, to people and as JSON."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.events import Touchpoint
from pipeline.replay.trial import Judged, Tried

_TIMES: Final = {"occurred_at", "sent_at", "due_at"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def count(one: Tried, counts: Counter[str]) -> None:
    """Add a row to the counts that `summary` tells."""
    counts["rows"] += 1
    counts[one.outcome] += 1
    for judged in one.touchpoints:
        counts["taken"] += judged.taken
        counts["rejected"] += judged.rejection is not None
        counts["duplicates"] += judged.duplicate_of is not None


def summary(counts: Counter[str]) -> str:
    """All rows in one line."""
    told = f"{counts['rows']:,} rows: {counts['fits']:,} fit, {counts['left_out']:,} are left out by conditions, "
    told += f"{counts['misfit']:,} do not fit; {counts['taken']:,} touchpoints would be taken"
    rejected = f", {counts['rejected']:,} would be rejected" if counts["rejected"] else ""
    return told + rejected + (f", {counts['duplicates']:,} are duplicates" if counts["duplicates"] else "")


def said(one: Tried) -> dict[str, Any]:
    """One row as JSON has it."""
    return {
        "line": one.line,
        "row": one.number,
        "outcome": one.outcome,
        "field": one.field,
        "reason": one.reason,
        "touchpoints": [
            {
                "touchpoint": fields(judged.touchpoint),
                "rejected": msgspec.to_builtins(judged.rejection),
                "duplicate_of": judged.duplicate_of,
            }
            for judged in one.touchpoints
        ],
    }


def fields(touchpoint: Touchpoint) -> dict[str, Any]:
    """The fields that it has, times in milliseconds since epoch, UTC."""
    return {name: value for name, value in msgspec.to_builtins(touchpoint).items() if value not in (None, {})}


def lines(one: Tried) -> Iterator[str]:
    """One row as people read it."""
    begin = f"row {one.number} (line {one.line})"
    if one.outcome == "left_out":
        yield f"{begin}: left out by a condition"
    elif one.outcome == "misfit":
        yield f"{begin}: does not fit: {_shown(one.field + ': ' if one.field else '')}{_shown(one.reason)}"
    else:
        yield f"{begin}: {len(one.touchpoints)} touchpoint{'s' if len(one.touchpoints) > 1 else ''}"
    for judged in one.touchpoints:
        yield f"  {_shown(judged.touchpoint.event_type)}{_verdict(judged)}"
        for name, value in _named(fields(judged.touchpoint)):
            yield f"    {_shown(name):22} {_value(name, value)}"


def _verdict(judged: Judged) -> str:
    rejection = judged.rejection
    if rejection is not None:
        fault = f"{rejection.field}: expected {rejection.expected}, got {rejection.got}"
        return f"  -- would be rejected: {rejection.reason}: {_shown(fault)}"
    return f"  -- a duplicate of row {judged.duplicate_of}" if judged.duplicate_of else ""


def _named(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name == "identifiers":
            yield from (("identifier", f"{one['namespace']}:{one['value']}") for one in value)
        elif isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in value.items() if text is not None)
        elif name != "event_type":
            yield name, value


def _value(name: str, value: Any) -> str:
    if name.rpartition(".")[2] in _TIMES and isinstance(value, int):
        return (_EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _shown(str(value))


def _shown(text: str) -> str:
    """Nothing that a file holds may steer the terminal."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)
