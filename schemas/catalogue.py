"""The known touchpoints: who answers for each, what kind of data it is, and what a customer may expect of it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from schemas.registry import load

DATA_KINDS: Final = ("descriptive", "behavioural", "attitudinal", "interaction")
PHASES: Final = ("before", "during", "after")
_EVENT_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEYS: Final = {"department", "channels", "data_kind", "phase", "expectation"}


class CatalogueError(ValueError):
    """The catalogue does not fit. Says every fault at once, a line each."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a customer may expect; where it is a time, `within_ms` milliseconds after the touchpoint `since`.

    `since` is None when the time runs from the touchpoint itself.
    """

    meaning: str
    within_ms: int | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class KnownTouchpoint:
    """One kind of touchpoint. `phase` lies before, during or after a purchase."""

    event_type: str
    department: str
    channels: tuple[str, ...]
    data_kind: str
    phase: str
    expectation: Expectation | None = None


@cache
def listed() -> Mapping[str, KnownTouchpoint]:
    """The touchpoints of catalogue.toml by event type, in its order."""
    return MappingProxyType(parse(Path(__file__).with_name("catalogue.toml").read_text()))


def parse(text: str) -> dict[str, KnownTouchpoint]:
    """A catalogue in TOML. Raises CatalogueError."""
    try:
        entries = tomllib.loads(text).get("touchpoints")
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"the catalogue is not TOML: {error}") from None
    if not isinstance(entries, dict) or not entries:
        raise CatalogueError("the catalogue has no table [touchpoints]")
    faults = [f"{name}: {fault}" for name, entry in entries.items() for fault in _faults(name, entry, entries)]
    if faults:
        raise CatalogueError("\n".join(faults))
    return {name: _known(name, entry) for name, entry in entries.items()}


def _known(name: str, entry: dict[str, Any]) -> KnownTouchpoint:
    expectation = Expectation(**entry["expectation"]) if "expectation" in entry else None
    channels = tuple(entry["channels"])
    return KnownTouchpoint(name, entry["department"], channels, entry["data_kind"], entry["phase"], expectation)


def _faults(name: str, entry: Any, entries: dict[str, Any]) -> list[str]:
    if not isinstance(entry, dict):
        return ["is no table"]
    channels = entry.get("channels")
    right = {
        "the name must be family.past_participle": bool(_EVENT_TYPE.fullmatch(name)),
        f"unknown keys {sorted(entry.keys() - _KEYS)}": entry.keys() <= _KEYS,
        "department must be one word": _is_word(entry.get("department")),
        f"data_kind must be one of {', '.join(DATA_KINDS)}": entry.get("data_kind") in DATA_KINDS,
        f"phase must be one of {', '.join(PHASES)}": entry.get("phase") in PHASES,
        "channels must be a list of channels": isinstance(channels, list)
        and bool(channels)
        and set(map(str, channels)) <= _channels()
        and len(set(map(str, channels))) == len(channels),
        "expectation must be a meaning, within_ms above 0 and since another touchpoint": _is_expectation(
            entry.get("expectation"), entries
        ),
    }
    return [fault for fault, fits in right.items() if not fits]


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(_WORD.fullmatch(value))


def _is_expectation(value: Any, entries: dict[str, Any]) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not value.keys() <= {"meaning", "within_ms", "since"}:
        return False
    within, since = value.get("within_ms"), value.get("since")
    timed = within is None or (type(within) is int and within > 0)
    known = since is None or (isinstance(since, str) and since in entries and within is not None)
    return timed and known and isinstance(value.get("meaning"), str) and bool(value["meaning"].strip())


@cache
def _channels() -> frozenset[str]:
    fields = {field["name"]: field["type"] for field in load("touchpoint")["fields"]}
    return frozenset(fields["channel"]["symbols"])
