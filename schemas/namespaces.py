"""Namespaces of identifiers: in which form a value is compared, and which of several decides."""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_NOT_DIALLED: Final = re.compile(r"[\s().\-/]")
FORMS: Final[dict[str, Callable[[str], str]]] = {
    "trimmed": str.strip,
    "lower": lambda value: value.strip().lower(),
    "digits": lambda value: _NOT_DIALLED.sub("", value),
}


@dataclass(frozen=True, slots=True)
class Namespace:
    """One kind of identifier; a smaller rank is stronger."""

    name: str
    rank: int
    form: str
    pattern: re.Pattern[str]

    def canonical(self, value: str) -> str | None:
        """The one form in which the value is compared, or None when it is malformed."""
        formed = FORMS[self.form](value)
        return formed if self.pattern.fullmatch(formed) else None


@cache
def listed() -> dict[str, Namespace]:
    """The namespaces of namespaces.toml, strongest first."""
    entries = tomllib.loads(Path(__file__).with_name("namespaces.toml").read_text())["namespace"]
    return {
        e["name"]: Namespace(e["name"], rank, e["form"], re.compile(e["pattern"], re.ASCII))
        for rank, e in enumerate(entries)
    }


def namespace(name: str) -> Namespace | None:
    """The namespace of this name, listed or not; None when the name itself is malformed."""
    found = listed().get(name)
    if found is not None:
        return found
    return _unlisted(name) if _NAME.fullmatch(name) else None


@lru_cache(maxsize=1024)  # names come from outside, so there is no end of them
def _unlisted(name: str) -> Namespace:
    return Namespace(name, len(listed()), "trimmed", re.compile(r"[^\x00]{1,256}"))


def strongest(identifiers: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The (namespace, canonical value) that decides among (namespace, value) pairs; None when one of them is malformed.

    Ties between equal ranks fall to the smaller pair, so the order in which a source lists them does not matter.
    """
    best: tuple[int, str, str] | None = None
    for name, value in identifiers:
        kind = namespace(name)
        canonical = kind.canonical(value) if kind else None
        if kind is None or canonical is None:
            return None
        candidate = (kind.rank, name, canonical)
        if best is None or candidate < best:
            best = candidate
    return best[1:] if best else None
