"""A correction of touchpoints that were rejected, as a JSON Merge Patch (RFC 7396, 2014). Pure.

`{"answer": {"scale_max": 10}, "campaign": null}` sets one field of the answer and empties another; a list is replaced as a whole.
A field that a touchpoint does not have can be taken away, by null, and not be set.
"""

import json
from typing import Any, Final

from pipeline.codec import Record
from schemas.registry import load

Patch = dict[str, Any]
DEEPEST: Final = 32
_TOO_DEEP: Final = "the patch is nested too deeply for a touchpoint"


class PatchUnfit(ValueError):
    """It is no patch of a touchpoint; says why."""


def patch_of(text: str) -> Patch:
    """The patch that a text says. Raises PatchUnfit for what is no JSON, and as `checked` does."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise PatchUnfit(f"the patch is no JSON: {error}") from None
    except RecursionError:
        raise PatchUnfit(_TOO_DEEP) from None
    return checked(found)


def checked(found: Any) -> Patch:
    """The patch that a JSON value is. Raises PatchUnfit for what is no object or sets a field that a touchpoint does not have."""
    if not isinstance(found, dict) or not found:
        raise PatchUnfit('the patch is no JSON object with fields, such as {"campaign": "spring"}')
    if _depth(found) > DEEPEST:
        raise PatchUnfit(_TOO_DEEP)
    _check(found, load("touchpoint")["fields"], "")
    return found


def mended(record: Record, patch: Patch) -> Record:
    """A decoded touchpoint with the patch applied. A field that is empty is null in it; an entry of a map is not there at all, so
    there a null takes it away."""
    maps = [
        field["name"] for field in load("touchpoint")["fields"] if _is_map(field["type"]) and field["name"] in patch
    ]
    found: Record = patched(record, {name: change for name, change in patch.items() if name not in maps})
    return found | {name: {} if patch[name] is None else merged(record.get(name), patch[name]) for name in maps}


def patched(value: Any, patch: Any) -> Any:
    """A decoded record with the patch applied, which is itself left as it is. A null stays, as the field's own absence; what the
    record does not have is not there to be taken away."""
    if not isinstance(patch, dict):
        return patch
    base: Record = value if isinstance(value, dict) else {}
    changes = {name: change for name, change in patch.items() if change is not None or not base or name in base}
    return base | {name: patched(base.get(name), change) for name, change in changes.items()}


def merged(value: Any, patch: Any) -> Any:
    """A JSON value with the patch applied, to the letter of RFC 7396: a null takes the field away."""
    if not isinstance(patch, dict):
        return patch
    result: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), change)
    return result


def _depth(value: Any) -> int:
    deep, held = 0, [value]
    while held and deep <= DEEPEST:
        inner = [one.values() if isinstance(one, dict) else one for one in held if isinstance(one, dict | list)]
        deep, held = deep + 1, [one for each in inner for one in each]
    return deep


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise PatchUnfit(f"the patch has {', '.join(sorted(twice))} twice")
    return dict(pairs)


def _check(patch: Patch, fields: list[dict[str, Any]], place: str) -> None:
    types = {field["name"]: field["type"] for field in fields}
    for name, change in patch.items():
        if name not in types:
            if change is None:
                continue
            raise PatchUnfit(f"a touchpoint has no field {place}{name}")
        inner = _record_in(types[name])
        if inner is not None and isinstance(change, dict):
            _check(change, inner["fields"], f"{place}{name}.")


def _is_map(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "map"


def _record_in(kind: Any) -> dict[str, Any] | None:
    branches = kind if isinstance(kind, list) else [kind]
    return next((one for one in branches if isinstance(one, dict) and one["type"] == "record"), None)
