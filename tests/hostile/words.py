"""Which words an answer may have: those of our source, mappings, schemas and the JSON reader's types, and none of what was sent."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.events import Reason, Rejection

ROOT: Final = Path(__file__).parents[2]
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_SOURCES: Final = (
    "pipeline/intake",
    "pipeline/codec",
    "pipeline/replay",
    "pipeline/mappings",
    "processors/validate.py",
    "schemas/namespaces.toml",
    "schemas/touchpoint",
)
# Types as the JSON reader names them.
_TYPES: Final = "array object null str int float bool length of got"
# What can be wrong with a schema, by the name of the exception.
_ERRORS: Final = (
    "UnknownType SchemaParseException KeyError TypeError ValueError IndexError AttributeError UnicodeEncodeError"
)
_FIRST_BYTE: Final = re.compile(r"that begin with [0-9a-f]{2}$")


@cache
def ours() -> frozenset[str]:
    """Every word of the sources that word a reason, in lower case."""
    found = set(f"{_TYPES} {_ERRORS}".lower().split())
    for name in _SOURCES:
        path = ROOT / name
        for file in [path] if path.is_file() else path.rglob("*.*"):
            if file.suffix in (".py", ".toml", ".avsc"):
                found |= {word.lower() for word in _WORD.findall(file.read_text(encoding="utf-8"))}
    return frozenset(found)


def strange(why: Rejection) -> list[str]:
    """The words of a reason that are not ours. The name of an unknown field is told when it looks like a name."""
    field = why.field
    if why.reason is Reason.FIELD_UNKNOWN:
        within, _, last = field.rpartition(".")
        field = within if _NAME.fullmatch(last) else field
    said = f"{field} {why.expected} {_FIRST_BYTE.sub('', why.got)}"
    return [word for word in _WORD.findall(said) if word.lower() not in ours()]
