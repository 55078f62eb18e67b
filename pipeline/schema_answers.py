"""What a Confluent schema registry would answer, from the files in schemas/: everything that reads, nothing that changes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastavro.schema import to_parsing_canonical_form

from pipeline.codec.writers import sane
from schemas.compatibility import SchemaInvalid, incompatibilities, look_at
from schemas.registry import FileRegistry, Schema, SchemaUnknown, catalogue_of_files, load

COMPATIBILITY: Final = "FULL_TRANSITIVE"
LATEST: Final = ("latest", "-1")
MOST_DIGITS: Final = 10


class Refusal(Exception):
    """An answer other than 200, with Confluent's own code and shape; never with what the caller had typed."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": code, "message": message}


@dataclass(frozen=True, slots=True)
class SchemaAnswers:
    """A registry of the schemas of `subjects` (subject -> record). Every method raises Refusal."""

    subjects: Mapping[str, str]

    def schema(self, schema_id: str) -> dict[str, str]:
        """The schema under an id."""
        try:
            return {"schema": _text(FileRegistry().schema(_number(schema_id)))}
        except SchemaUnknown:
            raise Refusal(404, 40403, "Schema not found") from None

    def versions(self, subject: str) -> list[int]:
        """The versions of a subject."""
        return sorted(self._ids(subject))

    def version(self, subject: str, version: str) -> dict[str, Any]:
        """One version of a subject, a number or `latest`."""
        ids = self._ids(subject)
        return self._told(subject, _chosen(version, ids), ids)

    def look_up(self, subject: str, asked: str) -> dict[str, Any]:
        """The version of a subject that means what a schema's text means."""
        ids, wanted = self._ids(subject), _canonical(_parsed(asked))
        for version in sorted(ids, reverse=True):
            if to_parsing_canonical_form(load(self.subjects[subject], version)) == wanted:
                return self._told(subject, version, ids)
        raise Refusal(404, 40403, "Schema not found")

    def register(self, subject: str, asked: str) -> dict[str, int]:
        """The id of a schema that the subject has; one that it has not is not taken."""
        try:
            found: int = self.look_up(subject, asked)["id"]
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            raise Refusal(
                422,
                42205,
                "Subject is in read-only mode: schemas are files, a version is added there",
            ) from None
        return {"id": found}

    def compatibility(self, subject: str, version: str | None, asked: str) -> dict[str, Any]:
        """Whether a schema and a version (None: every version) of a subject can read each other, and where not."""
        ids, schema = self._ids(subject), _parsed(asked)
        _canonical(schema)
        chosen = sorted(ids) if version is None else [_chosen(version, ids)]
        messages = []
        for one in chosen:
            ours = load(self.subjects[subject], one)
            for fault in incompatibilities(schema, ours):
                messages.append(f"this schema cannot read version {one} (backward): {fault.path}: {fault.why}")
            for fault in incompatibilities(ours, schema):
                messages.append(f"version {one} cannot read this schema (forward): {fault.path}: {fault.why}")
        return {"is_compatible": not messages, "messages": messages}

    def config(self, subject: str | None = None) -> dict[str, str]:
        """What new versions must keep to."""
        if subject is not None:
            self._ids(subject)
        return {"compatibilityLevel": COMPATIBILITY}

    def _ids(self, subject: str) -> dict[int, int]:
        record = self.subjects.get(subject)
        if record is None:
            raise Refusal(404, 40401, "Subject not found.")
        return {version: number for number, (name, version) in catalogue_of_files().items() if name == record}

    def _told(self, subject: str, version: int, ids: Mapping[int, int]) -> dict[str, Any]:
        schema = _text(load(self.subjects[subject], version))
        return {"subject": subject, "version": version, "id": ids[version], "schema": schema}


def _chosen(version: str, ids: Mapping[int, int]) -> int:
    if version in LATEST:
        return max(ids)
    if not 0 < _number(version) < 1 << 31:
        raise Refusal(422, 42202, 'A version id must be a number from 1 to 2147483647, or "latest"')
    if int(version) not in ids:
        raise Refusal(404, 40402, "Version not found.")
    return int(version)


def _number(text: str) -> int:
    """A number of few digits, -1 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else -1


def _parsed(asked: str) -> Any:
    try:
        body = json.loads(asked)
        text, kind = body["schema"], body.get("schemaType", "AVRO")
        schema = json.loads(text) if isinstance(text, str) else None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise Refusal(422, 42201, 'Invalid schema: the body must be {"schema": "..."} with Avro as text') from None
    if schema is None or kind not in ("AVRO", None) or not sane(schema):
        raise Refusal(422, 42201, "Invalid schema: it must be Avro, of sane size, as text")
    return schema


def _canonical(schema: Any) -> str:
    try:
        look_at(schema)
        return str(to_parsing_canonical_form(schema))
    except (SchemaInvalid, ValueError, TypeError, LookupError) as error:
        said = str(error) if isinstance(error, SchemaInvalid) else "it is not Avro"
        raise Refusal(422, 42201, f"Invalid schema: {said.replace(chr(10), ' ')[:300]}") from None


def _text(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
