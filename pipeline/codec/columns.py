"""Records side by side: every field a list, as a database that stores by columns takes them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pipeline.codec.wire import Record
from pipeline.events import Rejection
from schemas.registry import Schema

Column = list[Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Records by columns, all of one length and in the order of the values that could be read.

    A field that is a record, or a list of records, has a column for each of their fields, named `field.inner`: values (None where
    there is no such record), or lists of values. `rejected` names the positions of the values that are missing, and why.
    """

    by_name: dict[str, Any]
    rejected: list[tuple[int, Rejection]]


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a record as columns: itself, or those of the record or list of records in it."""

    field: str
    inner: tuple[str, ...] = ()
    many: bool = False

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [f"{self.field}.{name}" for name in self.inner] or [self.field]


def parts(schema: Schema, fields: Sequence[str] | None) -> list[Part]:
    """How each field of a record's schema becomes columns, all or the named ones. Raises KeyError for one that it does not have."""
    types = {field["name"]: field["type"] for field in schema["fields"]}
    return [_part(name, types[name]) for name in (types if fields is None else fields)]


def _part(name: str, kind: Any) -> Part:
    if isinstance(kind, list):
        kind = next(iter([branch for branch in kind if branch != "null"]), kind) if len(kind) == 2 else kind
    many = isinstance(kind, dict) and kind["type"] == "array"
    inner = kind["items"] if many else kind
    if isinstance(inner, dict) and inner["type"] == "record":
        return Part(name, tuple(field["name"] for field in inner["fields"]), many)
    return Part(name)


def by_columns(records: Sequence[Record], whole: Sequence[Part]) -> dict[str, Column]:
    """Records turned into columns."""
    made: dict[str, Column] = {}
    for part, values in zip(whole, _fields(records, [part.field for part in whole]), strict=True):
        made.update(zip(part.names, _spread(values, part), strict=True))
    return made


def _fields(records: Sequence[Record], names: list[str]) -> Iterable[Column]:
    if len(names) < 2 or not records:
        return [[record[name] for record in records] for name in names]
    return map(list, zip(*map(itemgetter(*names), records), strict=True))


def _spread(values: Column, part: Part) -> Iterator[Column]:
    if not part.inner:
        yield values
    for name in part.inner:
        if part.many:
            yield [None if many is None else [one[name] for one in many] for many in values]
        else:
            yield [None if one is None else one[name] for one in values]
