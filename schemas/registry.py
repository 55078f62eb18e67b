"""Schemas by id and by record, from the files of this folder or from a Confluent-compatible registry."""

import base64
import http.client
import json
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).parent
Schema = dict[str, Any]
# Long enough that a flood of records under an unknown id costs nothing, short enough that nobody waits for a new schema.
UNKNOWN_S = 10.0
MOST_UNKNOWN = 10_000
MOST_BYTES = 1 << 20


class SchemaUnknown(LookupError):
    """No schema has this id or name. The record that names it is at fault, not the registry."""


class SchemaUnusable(SchemaUnknown):
    """There is a schema under this id, but nobody should read it: it is too large or nested too deeply."""


class RegistryRefused(SchemaUnknown):
    """The registry does not take a schema of ours; says why, in the registry's words."""


class RegistryUnavailable(ConnectionError):
    """The registry did not answer; worth another try."""


class Registry(Protocol):
    """Gives schemas by their ids. Ids are immutable, so callers may keep what they get for ever."""

    def schema(self, schema_id: int) -> Schema:
        """The schema with this id, parsed JSON. Raises SchemaUnknown, RegistryUnavailable."""

    def schema_id(self, record: str, subject: str) -> int:
        """The id under which our newest schema of `record` is known for `subject`. Raises SchemaUnknown, RegistryUnavailable."""


def catalogue_of_files(folder: Path | None = None) -> dict[int, tuple[str, int]]:
    """Id -> (record, version), as registry.toml lists them, here or in another folder of this layout."""
    return _listed(folder or HERE)


def load(record: str, version: int | None = None, folder: Path | None = None) -> Schema:
    """One schema file; the newest version unless one is named. Raises SchemaUnknown."""
    return _loaded(folder or HERE, record, version)


@cache
def _listed(folder: Path) -> dict[int, tuple[str, int]]:
    listed = tomllib.loads((folder / "registry.toml").read_text(encoding="utf-8"))["schema"]
    return {entry["id"]: (entry["record"], entry["version"]) for entry in listed}


@cache
def _loaded(folder: Path, record: str, version: int | None) -> Schema:
    versions = [v for name, v in _listed(folder).values() if name == record and version in (None, v)]
    if not versions:
        raise SchemaUnknown(f"schemas/ has no record {record!r}" + (f" in version {version}" if version else ""))
    schema: Schema = json.loads((folder / record / f"{max(versions)}.avsc").read_text(encoding="utf-8"))
    return schema


class FileRegistry:
    """The schemas of this folder, or of another of its layout, with the ids of its registry.toml. Needs no server."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def schema(self, schema_id: int) -> Schema:
        """See Registry."""
        try:
            return load(*catalogue_of_files(self._folder)[schema_id], self._folder)
        except KeyError:
            raise SchemaUnknown(f"no schema has the id {schema_id}") from None

    def schema_id(self, record: str, subject: str) -> int:
        """See Registry; files know no subjects."""
        listed = catalogue_of_files(self._folder)
        found = [(version, number) for number, (name, version) in listed.items() if name == record]
        if not found:
            raise SchemaUnknown(f"schemas/ has no record {record!r}")
        return max(found)[1]


class HttpRegistry:
    """A registry that speaks Confluent's REST interface."""

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        if user:
            self._headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._schemas: dict[int, Schema] = {}
        self._unknown: dict[int, float] = {}
        self._clock = clock

    def schema(self, schema_id: int) -> Schema:
        """See Registry; an id that is unknown is not asked for again for UNKNOWN_S seconds."""
        if schema_id not in self._schemas:
            if self._clock() < self._unknown.get(schema_id, 0.0):
                raise SchemaUnknown(f"the registry did not know the id {schema_id} a moment ago")
            try:
                self._schemas[schema_id] = self._fetched(schema_id)
            except SchemaUnusable:
                raise
            except SchemaUnknown:
                self._remember_unknown(schema_id)
                raise
        return self._schemas[schema_id]

    def _fetched(self, schema_id: int) -> Schema:
        answer = self._call("GET", f"/schemas/ids/{schema_id}")
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise SchemaUnknown(f"the schema with the id {schema_id} is not Avro")
        try:
            schema: Schema = json.loads(answer["schema"])
        except RecursionError:
            raise SchemaUnusable("nesting without end") from None
        except (KeyError, TypeError, ValueError):
            raise self._no_registry() from None
        return schema

    def _remember_unknown(self, schema_id: int) -> None:
        now = self._clock()
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown = {known: until for known, until in self._unknown.items() if until > now}
        if len(self._unknown) < MOST_UNKNOWN:
            self._unknown[schema_id] = now + UNKNOWN_S

    def schema_id(self, record: str, subject: str) -> int:
        """See Registry; registers the schema when the subject does not have it yet."""
        return self.register(subject, load(record))

    def register(self, subject: str, schema: Schema) -> int:
        """The id of a schema in a subject, which is given one if it has none. Raises RegistryRefused, RegistryUnavailable."""
        return self._id_in(self._call("POST", f"/subjects/{subject}/versions", _asked(schema)))

    def look_up(self, subject: str, schema: Schema) -> int | None:
        """The id of a schema in a subject, None if it is not there. Raises RegistryRefused, RegistryUnavailable."""
        try:
            return self._id_in(self._call("POST", f"/subjects/{subject}", _asked(schema)))
        except RegistryRefused:
            raise
        except SchemaUnknown:
            return None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Have the registry refuse what breaks this level, such as FULL_TRANSITIVE. Raises as `register` does."""
        self._call("PUT", f"/config/{subject}", json.dumps({"compatibility": level}).encode())

    def _id_in(self, answer: dict[str, Any]) -> int:
        found = answer.get("id")
        if not isinstance(found, int):
            raise self._no_registry()
        return found

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, data=body, method=method, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                text = answer.read(MOST_BYTES + 1)
            if len(text) > MOST_BYTES:
                raise SchemaUnusable(f"more than {MOST_BYTES} bytes")
            found = json.loads(text)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise SchemaUnknown(f"the registry does not know {path}") from None
            if error.code in (409, 422):
                raise RegistryRefused(
                    f"the registry refuses {method} {path}: HTTP {error.code}{_said(error)}"
                ) from None
            raise RegistryUnavailable(
                f"the registry answered HTTP {error.code} to {method} {path}{_said(error)}"
            ) from error
        except RecursionError:
            raise self._no_registry() from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise RegistryUnavailable(f"the registry at {self._url} does not answer: {error}") from error
        if not isinstance(found, dict):
            raise self._no_registry()
        return found

    def _no_registry(self) -> RegistryUnavailable:
        return RegistryUnavailable(f"what answers at {self._url} is not a schema registry")


def _asked(schema: Schema) -> bytes:
    return json.dumps({"schema": json.dumps(schema), "schemaType": "AVRO"}).encode()


def _said(error: urllib.error.HTTPError) -> str:
    """What a registry says beside the number of an error, in one line."""
    try:
        said = json.loads(error.read(MOST_BYTES))["message"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError, http.client.HTTPException):
        return ""
    return ": " + " ".join(str(said).split())[:500]
