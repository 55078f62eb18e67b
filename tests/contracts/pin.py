"""Pins the bytes and the meaning of versions that have none yet: `python -m tests.contracts.pin`. What is pinned stays."""

import json
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, to_parsing_canonical_form

from pipeline.codec import plain
from pipeline.codec.reference import Bodies
from pipeline.codec.wire import head
from schemas.registry import catalogue_of_files, load

GOLDEN = Path(__file__).with_name("golden")


def value_of(node: Any, name: str) -> Any:
    """A value that tells by itself where it belongs; nothing is null or empty, and of symbols it is the last."""
    if isinstance(node, list):
        return value_of(node[-1], name)
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        return {field["name"]: value_of(field["type"], field["name"]) for field in node["fields"]}
    if kind == "array":
        return [value_of(node["items"], name)]
    if kind == "map":
        return {f"{name} key": value_of(node["values"], name)}
    if kind == "enum":
        return node["symbols"][-1]
    number = sum(name.encode())
    return {
        "string": f"{name} ä",
        "boolean": True,
        "int": -number,
        "long": 1_700_000_000_000 + number,
        "double": number / 8,
    }[kind]


def golden(record: str, version: int, schema_id: int) -> dict[str, Any]:
    """A record of a version, with its bytes on the wire."""
    schema = load(record, version)
    value = value_of(plain(schema), record)
    return {"schema_id": schema_id, "record": value, "hex": Bodies(schema).one(value, head(schema_id)).hex()}


def meaning(record: str, version: int) -> str:
    """The fingerprint of a version's parsing canonical form."""
    return str(fingerprint(to_parsing_canonical_form(load(record, version)), "sha256"))


def main() -> None:
    """Pin what is not pinned."""
    fingerprints = GOLDEN / "fingerprints.json"
    pinned = json.loads(fingerprints.read_text(encoding="utf-8"))
    for schema_id, (record, version) in sorted(catalogue_of_files().items()):
        name = f"{record}-{version}"
        if not (GOLDEN / f"{name}.json").exists():
            text = json.dumps(golden(record, version, schema_id), indent=1, ensure_ascii=False)
            (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
            print(f"pinned {name}")
        pinned.setdefault(name, meaning(record, version))
    fingerprints.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
