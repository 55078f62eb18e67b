"""From what somebody types to the cells it may mean. The identifier itself goes no further than this."""

import re
from dataclasses import dataclass
from typing import Final

from pipeline.keys import Keyring
from schemas import namespaces

_PERSON: Final = re.compile(r"p_[0-9a-f]{20}")
_CELL: Final = re.compile(r"[a-z][a-z0-9_]{0,31}:[0-9a-f]{20}")
LONGEST: Final = 300


class Unreadable(Exception):
    """What was typed cannot be an identifier. The text says why and never repeats it."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A person's own name, or the cells that the text may name, likeliest first."""

    person: str | None
    cells: tuple[str, ...]


def meaning(text: str, keyring: Keyring) -> Meaning:
    """What `text` may mean: `p_...`, `namespace:value`, or a bare value, tried in every listed namespace.

    Raises Unreadable.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Unreadable(f"an identifier has 1 to {LONGEST} characters")
    if _PERSON.fullmatch(text):
        return Meaning(text, ())
    name, separator, value = text.partition(":")
    kind = namespaces.namespace(name) if separator else None
    if kind is None:
        return Meaning(None, _bare(text, keyring))
    canonical = kind.canonical(value)
    named = (keyring.cell(name, canonical),) if canonical else ()
    as_shown = (text,) if _CELL.fullmatch(text) else ()
    if not named and not as_shown:
        raise Unreadable(f"the value does not have the form of the namespace {name}: {kind.pattern.pattern}")
    return Meaning(None, named + as_shown)


def _bare(text: str, keyring: Keyring) -> tuple[str, ...]:
    forms = ((name, kind.canonical(text)) for name, kind in namespaces.listed().items())
    cells = tuple(keyring.cell(name, canonical) for name, canonical in forms if canonical)
    if not cells:
        raise Unreadable("the value does not have the form of any listed namespace; write it as namespace:value")
    return cells
