"""Do the schemas of a folder hold as a contract: every version with every other, ids, pinned bytes, what was published before?"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

from schemas.compatibility import SchemaInvalid, incompatibilities, look_at
from schemas.walk import fields, logical_types, without_commentary

Version = tuple[str, int]


class FolderUnreadable(OSError):
    """This is no folder of schemas; says what is missing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with a record's schema or (no record) with the list of ids.

    `direction` is backward where a later version cannot read an earlier one, forward where an earlier cannot read a later one.
    """

    record: str
    why: str
    reader: int | None = None
    writer: int | None = None
    direction: str = ""
    path: str = ""

    def __str__(self) -> str:
        where = f": {self.path}" if self.path else ""
        if self.writer is not None and self.reader is not None:
            return f"{self.record}: version {self.reader} cannot read version {self.writer} ({self.direction}){where}: {self.why}"
        version = "" if self.reader is None else f" version {self.reader}"
        return f"{self.record or 'registry.toml'}{version}{where}: {self.why}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in the layout of this one, read: files by record and version, ids, and what could not be read or does not fit."""

    files: dict[Version, Any]
    ids: dict[int, Version]
    faults: list[Fault] = field(default_factory=list)


def read(folder: Path) -> Folder:
    """A folder's registry.toml and N.avsc. Raises FolderUnreadable."""
    try:
        listed = tomllib.loads((folder / "registry.toml").read_text(encoding="utf-8")).get("schema", [])
        files, faults = _files(folder)
    except OSError as error:
        raise FolderUnreadable(f"{folder} is no folder of schemas: {error.strerror} ({error.filename})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FolderUnreadable(f"{folder / 'registry.toml'} is not TOML: {error}") from None
    ids: dict[int, Version] = {}
    for entry in listed if isinstance(listed, list) else []:
        fault = _entry_fault(entry, ids)
        if fault:
            faults.append(Fault("", fault))
        else:
            ids[entry["id"]] = (entry["record"], entry["version"])
    return Folder(files, ids, faults)


def _files(folder: Path) -> tuple[dict[Version, Any], list[Fault]]:
    found: dict[Version, Any] = {}
    faults = []
    for path in sorted(folder.glob("*/*.avsc")):
        record = path.parent.name
        if not (path.stem.isascii() and path.stem.isdigit() and int(path.stem) > 0):
            faults.append(Fault(record, f"{path.name} is not called by a version, such as 1.avsc"))
            continue
        try:
            found[record, int(path.stem)] = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            faults.append(Fault(record, "the file is not JSON", int(path.stem)))
    return found, faults


def _entry_fault(entry: Any, ids: dict[int, Version]) -> str:
    right = {"id": int, "record": str, "version": int}
    if not isinstance(entry, dict) or {name: type(value) for name, value in entry.items()} != right:
        return f"an entry must have id, record and version, and has {entry}"
    number, version = entry["id"], (entry["record"], entry["version"])
    if number in ids:
        return f"the id {number} is given to {_name(ids[number])} and to {_name(version)}: an id is given once"
    earlier = [known for known, one in ids.items() if one == version]
    return f"{_name(version)} has the ids {earlier[0]} and {number}" if earlier else ""


def faults(folder: Path, golden: Path | None = None) -> list[Fault]:
    """What is wrong with a folder of schemas; `golden`: where the pinned bytes of every version lie, None: not looked at.

    Raises FolderUnreadable.
    """
    found = read(folder)
    wrong = [*found.faults, *_numbering(found)]
    for record in sorted({record for record, _ in found.files}):
        versions = {version: schema for (name, version), schema in found.files.items() if name == record}
        wrong += _between(record, versions)
    if golden is not None:
        wrong += [
            Fault(record, f"its bytes are not pinned: {golden.name}/{record}-{version}.json is missing", version)
            for record, version in sorted(found.files)
            if not (golden / f"{record}-{version}.json").is_file()
        ]
    return wrong


def _numbering(found: Folder) -> Iterator[Fault]:
    listed = set(found.ids.values())
    unread = {(one.record, one.reader) for one in found.faults}
    for record, version in sorted(found.files.keys() - listed):
        yield Fault(record, "registry.toml has no id for it", version)
    for record, version in sorted(listed - found.files.keys()):
        if (record, version) not in unread:
            yield Fault(record, f"registry.toml lists it, and there is no {record}/{version}.avsc", version)
    for record, version in sorted(found.files):
        if version > 1 and (record, version - 1) not in found.files:
            yield Fault(record, f"there is no version {version - 1} before it", version)


def _between(record: str, versions: dict[int, Any]) -> Iterator[Fault]:
    if len(versions) == 1:
        ((version, schema),) = versions.items()
        try:
            look_at(schema)
        except SchemaInvalid as error:
            yield Fault(record, str(error), version)
    for (reader, there), (writer, here) in permutations(sorted(versions.items()), 2):
        direction = "backward" if reader > writer else "forward"
        try:
            wrong = [(one.path, one.why) for one in incompatibilities(there, here)]
        except SchemaInvalid as error:
            wrong = [("", str(error))]
        if not wrong and direction == "backward":
            wrong = list(_meaning(there, here))
        for path, why in wrong:
            yield Fault(record, why, reader, writer, direction, path)


def _meaning(later: Any, earlier: Any) -> Iterator[tuple[str, str]]:
    """Avro would read it, and everybody would understand something else."""
    before = dict(fields(earlier))
    for path, now in fields(later):
        then = before.get(path)
        if then is None:
            continue
        if then.get("unit") != now.get("unit"):
            yield path, f"its unit was {then.get('unit') or 'none'} and is {now.get('unit') or 'none'}"
        kinds = [" and ".join(logical_types(one["type"])) or "none" for one in (then, now)]
        if kinds[0] != kinds[1]:
            yield path, f"its logical type was {kinds[0]} and is {kinds[1]}"


def changed(folder: Path, published: Path) -> list[Fault]:
    """What of the schemas that were published in another folder has been changed since. Raises FolderUnreadable."""
    ours, theirs = read(folder), read(published)
    wrong = []
    for number, (record, version) in sorted(theirs.ids.items()):
        now = ours.ids.get(number)
        if now is None:
            wrong.append(Fault(record, f"its id {number} was published and is gone", version))
        elif now != (record, version):
            wrong.append(Fault(record, f"its id {number} was published and is now that of {_name(now)}", version))
    for (record, version), schema in sorted(theirs.files.items()):
        if (record, version) not in ours.files:
            wrong.append(Fault(record, "it was published and is gone", version))
        elif without_commentary(ours.files[record, version]) != without_commentary(schema):
            wrong.append(
                Fault(record, "it was published and has been changed: take it back and make the next version", version)
            )
    return wrong


def _name(version: Version) -> str:
    return f"{version[0]} version {version[1]}"
