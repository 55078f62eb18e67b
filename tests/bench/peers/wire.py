"""What the peers in Python share besides the job: where to read and write, and Avro in Confluent's wire format."""

import copy
import json
import os
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

HEAD_BYTES = 5


def asked(name: str) -> str:
    """One setting of this run."""
    return os.environ["BENCH_" + name.upper()]


BOOTSTRAP, INPUT, OUTPUT, RUN = asked("bootstrap"), asked("input"), asked("output"), asked("run")
FOLDER = Path(asked("folder"))
DEDUPLICATE = asked("deduplicate") == "1"


def _plain(node: Any) -> Any:
    """Without logical types: times stay integers."""
    if isinstance(node, dict):
        return {key: _plain(child) for key, child in node.items() if key != "logicalType"}
    return [_plain(child) for child in node] if isinstance(node, list) else node


def _schema(path: str) -> Any:
    return fastavro.parse_schema(_plain(copy.deepcopy(json.loads(Path(path).read_text()))))


_READ, _WRITTEN = _schema(asked("schema")), _schema(asked("answer_schema"))
_begun = False


def decoded(value: bytes) -> dict[str, Any]:
    """A touchpoint from the wire; the first call says that the work begins."""
    global _begun  # noqa: PLW0603 - once in a process
    if not _begun:
        _begun = True
        os.write(2, f"FIRST {time.time_ns() // 1_000_000}\n".encode())
    source = BytesIO(value)
    source.seek(HEAD_BYTES)
    return fastavro.schemaless_reader(source, _READ, None)  # type: ignore[return-value]


def encoded(record: dict[str, Any]) -> bytes:
    """An answer for the wire; its schema id is 0."""
    out = BytesIO(b"\0" * HEAD_BYTES)
    out.seek(HEAD_BYTES)
    fastavro.schemaless_writer(out, _WRITTEN, record)
    return out.getvalue()
