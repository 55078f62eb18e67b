"""From the bytes of one JSON event to a touchpoint record, or the reason why it is none. Pure."""

import json
import re
from typing import Any, Final, NoReturn

import msgspec

from pipeline.codec import Record
from pipeline.events import Reason, Rejection
from pipeline.intake.shape import Shape
from pipeline.intake.times import milliseconds

_SAID: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_NAMED: Final = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_WRONG: Final = re.compile(r"Expected (?P<expected>.*?), got (?P<got>.*)")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PATH: Final = re.compile(r"(?:[a-z_]+|\[(?:[0-9]+|\.\.\.)\]|\.)*")
_STEP: Final = re.compile(r"[a-z_]+")
_NO_JSON: Final = "a JSON object"
_HALF: Final = Rejection(Reason.TEXT_MALFORMED, "", "whole characters", "half of one")


class _Doubled(ValueError):
    """An object has a key twice: readers differ in which of them holds."""


class _NotFinite(ValueError):
    """JSON has no NaN and no Infinity."""


def read(raw: bytes, shape: Shape) -> Record | Rejection:
    """The record in the bytes of one JSON object, with times in milliseconds; what was left out has its default."""
    value = loaded(raw)
    if isinstance(value, Rejection):
        return value
    try:
        record: Record = msgspec.to_builtins(msgspec.convert(value, shape.form))
    except msgspec.ValidationError as error:
        return _misfit(str(error), shape.names)
    except UnicodeEncodeError:  # of the name of a field, which msgspec looks up as UTF-8
        return _HALF
    if b"\\u" in raw and not _is_unicode(value):
        return _HALF
    for path in shape.times:
        fault = _in_milliseconds(record, path)
        if fault is not None:
            return fault
    return record


def loaded(raw: bytes, numbers: type[str] | None = None) -> Any:
    """What the bytes of one JSON value say; a Rejection where they say nothing, or not the same to every reader.

    With `numbers` those are left as they are written, so that a sum of money keeps every digit.
    """
    try:
        return json.loads(
            raw.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_int=numbers, parse_float=numbers
        )
    except UnicodeDecodeError:
        return Rejection(Reason.TEXT_MALFORMED, "", "UTF-8", "bytes that are not")
    except _Doubled:
        return Rejection(Reason.KEY_TWICE, "", "each key once in an object", "one that comes twice")
    except _NotFinite:
        return Rejection(Reason.JSON, "", _NO_JSON, "a number that JSON does not have")
    except RecursionError:
        return Rejection(Reason.JSON, "", _NO_JSON, "nesting without end")
    except ValueError:
        return Rejection(Reason.JSON, "", _NO_JSON, f"{len(raw)} bytes that are none")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if not pairs:  # of which a body may hold millions
        return {}
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Doubled
    return found


def _refuse(_constant: str) -> NoReturn:
    raise _NotFinite


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_milliseconds(record: Record, path: tuple[str, ...]) -> Rejection | None:
    holder: Any = record
    for name in path[:-1]:
        holder = holder[name]
        if holder is None:
            return None
    given = holder[path[-1]]
    if given is None:
        return None
    when = milliseconds(given)
    if when is None:
        got = "a text that is none" if isinstance(given, str) else "a number beyond 64 bits"
        return Rejection(Reason.FIELD_MALFORMED, ".".join(path), "milliseconds, or a time with its offset", got)
    holder[path[-1]] = when
    return None


def _misfit(error: str, names: frozenset[str]) -> Rejection:
    """The reason in words that hold nothing of what was sent, not even a name that is none of ours."""
    said = _SAID.fullmatch(error)
    assert said is not None
    what, path = said["what"], _ours(said["path"] or "", names)
    named = _NAMED.fullmatch(what)
    if named is None:
        wrong = _WRONG.fullmatch(what)
        if wrong:
            return Rejection(Reason.FIELD_MALFORMED, path, _bare(wrong["expected"]), _bare(wrong["got"]))
        expected = (
            _bare(what.removeprefix("Expected ")) if what.startswith("Expected ") else "one of the schema's names"
        )
        return Rejection(Reason.FIELD_MALFORMED, path, expected, "another value")
    within = f"{path}." if path else ""
    if named["what"] == "missing required":
        return Rejection(Reason.FIELD_MISSING, within + named["name"], "a value", "none")
    known = _WORD.fullmatch(named["name"])
    field = within + named["name"] if known else path
    return Rejection(Reason.FIELD_UNKNOWN, field, "a field of the schema", "another one")


def _ours(path: str, names: frozenset[str]) -> str:
    """The path, unless it holds anything but names of ours: a name or value that was sent may look like the end of an error."""
    return path if _PATH.fullmatch(path) and names.issuperset(_STEP.findall(path)) else ""


def _bare(text: str) -> str:
    return text.replace("`", "")
