"""Both codecs for tests, a registry in memory, other versions of a touchpoint, and ways to spoil bytes."""

import copy
from importlib.util import find_spec
from typing import Any, Final

import hypothesis.strategies as st
import pytest

from pipeline.codec import HEAD_BYTES, Codec, codec_named, head
from schemas.registry import Schema, SchemaUnknown, catalogue_of_files, load

RECORDS: Final = sorted({record for record, _ in catalogue_of_files().values()})
ARROW: Final = all(find_spec(name) for name in ("pyarrow", "pyruhvro"))
needs_arrow = pytest.mark.skipif(not ARROW, reason="the extra `arrow` is not installed")
CODECS: Final = ("fastavro", pytest.param("arrow", marks=needs_arrow))


def codec(name: str) -> Codec:
    """A codec by name."""
    return codec_named("arrow" if name == "arrow" else "fastavro")


class Registered:
    """A registry in memory; ours is the schema under 1. Counts what it is asked."""

    def __init__(self, schemas: dict[int, Any]) -> None:
        self._schemas = schemas
        self.asked: list[int] = []

    def schema(self, schema_id: int) -> Schema:
        """See Registry."""
        self.asked.append(schema_id)
        if schema_id not in self._schemas:
            raise SchemaUnknown(str(schema_id))
        found: Schema = self._schemas[schema_id]
        return found

    def schema_id(self, record: str, subject: str) -> int:
        """See Registry."""
        return 1


def newer() -> Schema:
    """A touchpoint of a later version: one field more, one channel more."""
    schema = copy.deepcopy(load("touchpoint"))
    fields = {field["name"]: field for field in schema["fields"]}
    fields["channel"]["type"]["symbols"].append("hologram")
    schema["fields"].insert(0, {"name": "mood", "type": ["null", "string"], "default": None})
    return schema


def older() -> Schema:
    """A touchpoint of an earlier version: without promises, and with a score of another name that nobody reads any more."""
    schema = copy.deepcopy(load("touchpoint"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "promise"]
    schema["fields"].append({"name": "weight", "type": ["null", "double", "boolean"], "default": None})
    return schema


def narrower() -> Schema:
    """A touchpoint of somebody who knows of no answers, products and waiting, and writes the till's number among the others."""
    schema = copy.deepcopy(load("touchpoint"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("answer", "product", "waited_ms")]
    schema["fields"].insert(5, {"name": "till", "type": "string", "default": ""})
    return schema


def reworded() -> Schema:
    """Our own touchpoint as another producer may have registered it: no documentation, text spelt out."""
    schema = copy.deepcopy(load("touchpoint"))
    for field in schema["fields"]:
        field.pop("doc")
        if field["type"] == "string":
            field["type"] = {"type": "string", "avro.java.string": "String"}
    return schema


_SPICE: Final = (
    b"\x80\0",
    b"\xff" * 9 + b"\1",
    b"\xff" * 10,
    b"\xff" * 4 + b"\x10",
    b"\1",
    b"\3\4",
    b"\xed\xa0\x80",
    b"\xc0",
)


@st.composite
def spoilt(draw: st.DrawFn, value: bytes) -> bytes:
    """A value with some bytes cut, changed, put in or taken out behind its head."""
    body = bytearray(value[HEAD_BYTES:])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(("cut", "flip", "set", "insert", "drop", "append"))):
            case "cut":
                del body[at:]
            case "flip" if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                body[at:at] = draw(st.sampled_from(_SPICE))
            case "drop":
                del body[at : at + draw(st.integers(1, 3))]
            case _:
                body += draw(st.binary(max_size=3))
    return value[:HEAD_BYTES] + bytes(body)


def under(schema_id: int, value: bytes) -> bytes:
    """The same record under another schema id."""
    return head(schema_id) + value[HEAD_BYTES:]
