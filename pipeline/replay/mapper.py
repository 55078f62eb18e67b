"""Rows into touchpoints by a mapping. Pure: the same row under the same secret gives the same touchpoints, ids included."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from pipeline.events import Amount, Answer, Identifier, Promise, Touchpoint
from pipeline.replay.fields import Field, Misfit
from pipeline.replay.plan import Mapping, Plan
from pipeline.replay.row import Row
from processors.validate import STANDARD_SCALES
from schemas.namespaces import namespace
from schemas.registry import load

_EVENT_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
MOST_ENTRIES: Final = 200
_REQUIRED: Final = ("event_type", "channel", "occurred_at", "source")
_MADE: Final[dict[str, tuple[type, str]]] = {
    "answer": (Answer, "value"),
    "amount": (Amount, "minor_units"),
    "promise": (Promise, "promise_id"),
}


def touchpoints(mapping: Mapping, secret: bytes, row: Row) -> list[Touchpoint]:
    """The touchpoints of one row; none when its conditions leave it out. Raises Misfit when a part of it does not fit.

    A row fits as a whole or not at all, so that it can be mended and replayed. `secret` keys what ids say of a row.
    """
    if not all(test(row) for test in mapping.when):
        return []
    parts = [(plan, _parts(n, plan, secret, row)) for n, plan in enumerate(mapping.plans)]
    if not any(part for _, part in parts):
        return []
    event_id = _event_id(mapping, secret, row)
    return [one for plan, part in parts if part for one in _of_plan(plan, event_id, row, part)]


def _of_plan(plan: Plan, event_id: str, row: Row, parts: list[tuple[str, Row]]) -> Iterator[Touchpoint]:
    # Once for all parts: a row may have many cells and many entries, and their product would be far more.
    kept = _kept(plan, row.cells)
    for ending, part in parts:
        yield _touchpoint(plan, event_id + ending, part, kept)


def _parts(n: int, plan: Plan, secret: bytes, row: Row) -> list[tuple[str, Row]]:
    """What a plan is applied to, and how the ids of that end: the row, or the row with each entry of what it holds."""
    if not plan.each:
        return [(f"-{n + 1}" if n else "", row)] if all(test(row) for test in plan.when) else []
    found = []
    for key, entry in _entries(plan.each, row).items():
        part = Row(row.line, row.number, row.cells, row.around, entry)
        if all(test(part) for test in plan.when):
            # By its key, and not by its place, which another version of the same row may have changed.
            found.append((f"-{n + 1}-{_digest(key, secret, 6)}", part))
    return found


def _entries(path: str, row: Row) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, text in row.cells.items():
        if name.startswith(f"{path}."):
            key, _, rest = name[len(path) + 1 :].partition(".")
            entry = found.setdefault(key, {"each.key": key})
            entry[f"each.value.{rest}" if rest else "each.value"] = text
            if len(found) > MOST_ENTRIES:
                raise Misfit("each", f"more than {MOST_ENTRIES} entries")
    return found


def _event_id(mapping: Mapping, secret: bytes, row: Row) -> str:
    if mapping.id_from == "row":
        return f"{mapping.name}-{row.number}"
    if mapping.id_from == "columns":
        cells = [row.cell(column).strip() for column in mapping.id_columns]
        if not any(cells):
            raise Misfit("event_id", "its columns are empty")
        return f"{mapping.name}-{_digest(cells, secret, 12)}"
    if mapping.id_from == "content":
        return f"{mapping.name}-{_digest(sorted(row.cells.items()), secret, 12)}"
    return f"{mapping.name}-{row.number}-{_digest(sorted(row.cells.items()), secret, 6)}"


def _digest(value: Any, secret: bytes, size: int) -> str:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.blake2b(plain, digest_size=size, key=secret[:64]).hexdigest()


def _touchpoint(plan: Plan, event_id: str, row: Row, kept: dict[str, str]) -> Touchpoint:
    made = {name: value for name, field in plan.fields.items() if (value := field.of(row)) is not None}
    for name in _REQUIRED:
        if name not in made:
            raise Misfit(name, "missing")
    if not _EVENT_TYPE.fullmatch(made["event_type"]):
        raise Misfit("event_type", "not of the form family.past_participle")
    _one_of("channel", made["channel"])
    _one_of("actor_type", made.get("actor_type", "customer"))
    for name, fields in plan.nested.items():
        value = _nested(name, fields, row)
        if value is not None:
            made[name] = value
    named = {name: text for name, field in plan.attributes.items() if (text := field.of(row)) is not None}
    attributes = {**kept, **_kept(plan, row.entry), **named}
    return Touchpoint(event_id=event_id, identifiers=_identifiers(plan, row), attributes=attributes, **made)


def _kept(plan: Plan, cells: dict[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for prefix in plan.kept:
        start, size = f"{prefix}.", len(prefix) + 1
        kept |= {name[size:]: bare for name, text in cells.items() if name.startswith(start) and (bare := text.strip())}
    return kept


def _nested(name: str, fields: dict[str, Field], row: Row) -> Any:
    make, first = _MADE[name]
    values = {inner: value for inner, field in fields.items() if (value := field.of(row)) is not None}
    if first not in values:
        return None
    lacking = [inner for inner in fields if inner not in values and inner not in ("aspect", "direction", "due_at")]
    if lacking:
        raise Misfit(f"{name}.{lacking[0]}", "missing")
    value = make(**values)
    _CHECKS[name](value)
    return value


def _check_answer(answer: Answer) -> None:
    _one_of("answer.direction", answer.direction)
    if answer.scale_min >= answer.scale_max:
        raise Misfit("answer.scale_max", "not above scale_min")
    scales = STANDARD_SCALES.get(answer.metric)
    if scales and (answer.scale_min, answer.scale_max) not in scales:
        raise Misfit(
            "answer.scale_max", f"no scale of {answer.metric}: {' or '.join(f'{a} to {b}' for a, b in scales)}"
        )
    if not answer.scale_min <= answer.value <= answer.scale_max:
        raise Misfit("answer.value", f"not between {answer.scale_min} and {answer.scale_max}")


def _check_amount(amount: Amount) -> None:
    if not re.fullmatch(r"[A-Z]{3}", amount.currency):
        raise Misfit("amount.currency", "not a code of three capital letters")


def _check_promise(promise: Promise) -> None:
    """Any promise will do."""


_CHECKS: Final[dict[str, Callable[[Any], None]]] = {
    "answer": _check_answer,
    "amount": _check_amount,
    "promise": _check_promise,
}


def _identifiers(plan: Plan, row: Row) -> list[Identifier]:
    found = [(name, text) for name, field in plan.identifiers if (text := field.of(row)) is not None]
    if not found:
        raise Misfit("identifiers", "missing")
    for name, text in found:
        kind = namespace(name)
        if kind is None or kind.canonical(text) is None:
            raise Misfit(f"identifiers.{name}", "malformed")
    return [Identifier(name, text) for name, text in dict.fromkeys(found)]


def _one_of(name: str, value: str) -> None:
    if value not in _symbols()[name]:
        raise Misfit(name, f"not one of {', '.join(_symbols()[name])}")


@cache
def _symbols() -> dict[str, tuple[str, ...]]:
    fields = {field["name"]: field["type"] for field in load("touchpoint")["fields"]}
    answer = {field["name"]: field["type"] for field in fields["answer"][1]["fields"]}
    return {
        "channel": tuple(fields["channel"]["symbols"]),
        "actor_type": tuple(fields["actor_type"]["symbols"]),
        "answer.direction": tuple(answer["direction"]["symbols"]),
    }
