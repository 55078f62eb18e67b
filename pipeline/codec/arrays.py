"""Arrow arrays out of values, to the letter of an Avro schema.

Arrow's own way is too obliging: it cuts 1.5 down to 1 inside records, takes bytes for text and pairs for records, leaves out what
is missing, and ends the process over a map with a key that is nothing. So nothing comes near it that does not fit.
"""

from collections.abc import Iterable
from itertools import accumulate, chain
from types import NoneType
from typing import Any, Final

import pyarrow as pa

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "enum": (str,),
    "int": (int,),
    "long": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "record": (dict,),
    "map": (dict,),
    "array": (list, tuple),
}


def array_of(values: list[Any], node: Any, kind: Any, absent: int = 0) -> Any:
    """The values of a schema's node as an array of an Arrow type. `absent` of them are None because they are parts of nothing.

    Raises TypeError, ValueError, LookupError or OverflowError if there is a value that does not fit.
    """
    found = set(map(type, values))
    missing = values.count(None) if NoneType in found else 0
    optional = isinstance(node, list)
    if optional:
        node = node[1]
    name = node["type"] if isinstance(node, dict) else node
    if isinstance(name, dict | list):
        return array_of(values, [None, name] if optional else name, kind, absent)
    _fit(found, _TYPES[name])
    if missing != absent and not optional:
        raise ValueError("a value is missing")
    if name == "record":
        return _struct(values, node, kind, missing)
    if name == "array":
        return _lists(values, node, kind)
    return _maps(values, node, kind) if name == "map" else pa.array(values, kind)


def _fit(found: Iterable[type], allowed: tuple[type, ...]) -> None:
    for kind in found:
        if kind is bool and bool not in allowed:
            raise TypeError("a truth value")
        if kind is not NoneType and not issubclass(kind, allowed):
            raise TypeError(f"a value of type {kind.__name__}")


def _struct(values: list[Any], node: Any, kind: Any, missing: int) -> Any:
    parts = []
    for field, of in zip(node["fields"], kind, strict=True):
        name = field["name"]
        inner = [None if one is None else one[name] for one in values] if missing else [one[name] for one in values]
        parts.append(array_of(inner, field["type"], of.type, missing))
    mask = pa.array([one is None for one in values], pa.bool_()) if missing else None
    return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)


def _lists(values: list[Any], node: Any, kind: Any) -> Any:
    offsets = pa.array([0, *accumulate(map(len, values))], pa.int32())
    items = list(chain.from_iterable(values))
    return pa.ListArray.from_arrays(offsets, array_of(items, node["items"], kind.value_type), type=kind)


def _maps(values: list[Any], node: Any, kind: Any) -> Any:
    offsets = pa.array([0, *accumulate(map(len, values))], pa.int32())
    keys = array_of(list(chain.from_iterable(values)), "string", kind.key_type)
    items = [item for one in values for item in one.values()]
    return pa.MapArray.from_arrays(offsets, keys, array_of(items, node["values"], kind.item_type), type=kind)
