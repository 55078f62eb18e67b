"""Field by field: how private it is, what it is for and how long it may be kept. The one source for masking and erasing.

The names stand in the schemas, their meanings in classes.toml; docs/fields.md is made from both.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from schemas.registry import catalogue_of_files, load
from schemas.walk import fields as walked

TABLE = "| field | privacy | purpose | retention | unit | what it is |\n| --- | --- | --- | --- | --- | --- |"


@dataclass(frozen=True, slots=True)
class FieldClass:
    """One field's classes; `path` as `answer.value`, `identifiers[].value`."""

    path: str
    privacy: str
    purpose: str
    retention: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long: whole days since the contact, None where no number of days ends it."""

    days: int | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Classes:
    """Every class that a field may have, with what it means."""

    privacy: Mapping[str, str]
    purpose: Mapping[str, str]
    retention: Mapping[str, Retention]


@cache
def classes() -> Classes:
    """The classes of classes.toml, in its order."""
    listed = tomllib.loads(Path(__file__).with_name("classes.toml").read_text(encoding="utf-8"))
    retention = {name: Retention(one.get("days"), one["meaning"]) for name, one in listed["retention"].items()}
    privacy, purpose = MappingProxyType(listed["privacy"]), MappingProxyType(listed["purpose"])
    return Classes(privacy, purpose, MappingProxyType(retention))


def fields(record: str, version: int | None = None) -> list[FieldClass]:
    """Every field of a record, nested ones behind the one they are in; the newest version unless one is named.

    A field that is a record is as private as its own class says, whatever the fields in it say.

    Raises SchemaUnknown for a record that there is not, KeyError for a field without a class.
    """
    return [
        FieldClass(path, field["privacy"], field["purpose"], field["retention"])
        for path, field in walked(load(record, version))
    ]


def as_markdown() -> str:
    """The page of fields."""
    known = classes()
    records = "\n".join(_record(record) for record in sorted({name for name, _ in catalogue_of_files().values()}))
    return f"""# Fields

Every field of every record on the topics: how private it is, what it is for, how long it may be kept, its unit and what it is.
The classes stand in the [schemas](../schemas) themselves. They say what may be; nothing is masked or deleted by them yet, and
topics and tables keep what they keep ([topics](../pipeline/topics.py)). `a.b` is a field inside a record, `a[].b` one inside the
records of a list; a field that is a record is as private as its own class says, whatever the fields in it say.

## Privacy
{_meanings(known.privacy)}

## Purpose
{_meanings(known.purpose)}

## Retention
Counted from the contact.

{_meanings({name: f"{_length(one)}{one.meaning}" for name, one in known.retention.items()})}

{records}"""


def _length(retention: Retention) -> str:
    return f"{retention.days} days. " if retention.days is not None else ""


def _meanings(of: Mapping[str, str]) -> str:
    return "\n".join(f"- `{name}`: {meaning}" for name, meaning in of.items())


def _record(record: str) -> str:
    schema = load(record)
    rows = "\n".join(
        f"| `{path}` | {field['privacy']} | {field['purpose']} | `{field['retention']}` | {field.get('unit', '')} |"
        f" {field['doc'].replace('|', chr(92) + '|')} |"
        for path, field in walked(schema)
    )
    return f"## {record}\n{schema['doc']}\n\n{TABLE}\n{rows}\n"
