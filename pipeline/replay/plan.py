"""What a mapping file says, checked: how rows become touchpoints."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.replay.fields import Field
from pipeline.replay.row import Layout, Row

Condition = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """One touchpoint of a row: when there is one, and how each of its fields is made.

    `each` is the dotted name of a table or a list within the row: there is one touchpoint for each of its entries then.
    `kept` are the dotted names under which every column is kept as an attribute.
    """

    when: tuple[Condition, ...]
    fields: dict[str, Field]
    nested: dict[str, dict[str, Field]]
    identifiers: tuple[tuple[str, Field], ...]
    attributes: dict[str, Field]
    kept: tuple[str, ...] = ()
    each: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping; `about` says in a line what it reads.

    `id_columns` is empty where the event id does not come from columns.
    """

    name: str
    layout: Layout
    in_time_order: bool
    id_from: str
    id_columns: tuple[str, ...]
    when: tuple[Condition, ...]
    plans: tuple[Plan, ...]
    columns: frozenset[str]
    about: str = ""
