"""The registry that `serve` offers, asked as Confluent's clients ask, and by our own client."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pipeline.codec import Decoder, Encoder
from pipeline.config import Settings
from pipeline.schema_registration import register
from pipeline.serve.app import create_api
from pipeline.topics import subjects
from schemas.registry import (
    MOST_BYTES,
    FileRegistry,
    HttpRegistry,
    RegistryRefused,
    RegistryUnavailable,
    SchemaUnknown,
    catalogue_of_files,
    load,
)
from tests.harness.registry_server import NoRows, our_registry
from tests.harness.touchpoints import touchpoint

SUBJECT = "shop.scores.v1-value"
MEDIA = "application/vnd.schemaregistry.v1+json"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The API, not running: the registry needs no poller."""
    given: dict[str, Any] = {"home": tmp_path_factory.mktemp("home"), "topic_prefix": "shop."}
    return TestClient(create_api(Settings(**given), NoRows()), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our registry over a socket, topics with the usual prefix."""
    with our_registry(tmp_path_factory.mktemp("home")) as address:
        yield address


def get(api: TestClient, path: str, status: int = 200) -> Any:
    answer = api.get(f"/registry{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA), answer.text
    return answer.json()


def post(api: TestClient, path: str, schema: Any, status: int = 200) -> Any:
    answer = api.post(f"/registry{path}", json={"schema": json.dumps(schema)}, headers={"Content-Type": MEDIA})
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA), answer.text
    return answer.json()


def code(body: Any) -> int:
    """Confluent's error code, in Confluent's shape."""
    assert set(body) == {"error_code", "message"}
    assert isinstance(body["message"], str)
    return int(body["error_code"])


def reworded(record: str) -> Any:
    """The same schema without a word of explanation."""
    schema = copy.deepcopy(load(record))
    for field in schema["fields"]:
        for name in ("doc", "privacy", "purpose", "retention", "unit"):
            field.pop(name, None)
    return schema


def test_every_schema_is_there_under_its_id(api: TestClient) -> None:
    for number, listed in catalogue_of_files().items():
        assert json.loads(get(api, f"/schemas/ids/{number}")["schema"]) == load(*listed)
    assert get(api, "/schemas/types") == ["AVRO"]


def test_every_topic_has_its_subject_with_the_installations_prefix(api: TestClient) -> None:
    assert get(api, "/subjects") == list(subjects("shop."))
    for prefix in ("", ":*:", "shop."):
        assert get(api, f"/subjects?subjectPrefix={prefix}") == list(subjects("shop."))
    assert (
        get(api, "/subjects?subjectPrefix=shop.scores") == get(api, "/subjects?subjectPrefix=:*:shop.sc") == [SUBJECT]
    )
    assert get(api, "/subjects?subjectPrefix=scores") == []
    for subject, record in subjects("shop.").items():
        numbers = get(api, f"/subjects/{subject}/versions")
        assert numbers == sorted(version for name, version in catalogue_of_files().values() if name == record)
        newest = get(api, f"/subjects/{subject}/versions/latest")
        assert newest == get(api, f"/subjects/{subject}/versions/{numbers[-1]}")
        assert newest == get(api, f"/subjects/{subject}/versions/-1")
        assert (newest["subject"], newest["version"]) == (subject, numbers[-1])
        assert json.loads(newest["schema"]) == load(record)
        assert catalogue_of_files()[newest["id"]] == (record, numbers[-1])


def test_a_schema_is_found_by_its_meaning(api: TestClient) -> None:
    """As it stands, or without its explanations; another record's is not found."""
    told = get(api, f"/subjects/{SUBJECT}/versions/1")
    assert post(api, f"/subjects/{SUBJECT}", load("score")) == told
    assert post(api, f"/subjects/{SUBJECT}", reworded("score")) == told
    assert code(post(api, f"/subjects/{SUBJECT}", load("session"), 404)) == 40403


def test_nothing_can_be_registered_but_what_is_there(api: TestClient) -> None:
    """And nothing can be changed."""
    assert post(api, f"/subjects/{SUBJECT}/versions", reworded("score")) == {"id": 5}
    assert code(post(api, f"/subjects/{SUBJECT}/versions", load("session"), 422)) == 42205
    for method, path in (("PUT", f"/config/{SUBJECT}"), ("DELETE", f"/subjects/{SUBJECT}"), ("PUT", "/mode")):
        answer = api.request(method, f"/registry{path}")
        assert (answer.status_code, code(answer.json())) == (405, 405)
    assert get(api, "/config") == get(api, f"/config/{SUBJECT}") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert get(api, "/mode") == {"mode": "READONLY"}


@pytest.mark.parametrize("version", ["/latest", "/1", ""])
def test_compatibility_is_judged_both_ways(api: TestClient, version: str) -> None:
    path = f"/compatibility/subjects/{SUBJECT}/versions{version}"
    schema = copy.deepcopy(load("score"))
    assert post(api, path, schema) == {"is_compatible": True}
    schema["fields"].append({"name": "mood", "type": "string"})
    assert post(api, path, schema) == {"is_compatible": False}
    answer = post(api, f"{path}?verbose=true", schema)
    assert answer["is_compatible"] is False
    (message,) = answer["messages"]
    assert message.startswith("this schema cannot read version 1 (backward): mood: the writer does not have it")
    schema["fields"] = [field for field in load("score")["fields"] if field["name"] != "formula"]
    (message,) = post(api, f"{path}?verbose=true", schema)["messages"]
    assert message.startswith("version 1 cannot read this schema (forward): formula: the writer does not have it")


@pytest.mark.parametrize(
    ("path", "status", "number"),
    [
        ("/schemas/ids/99", 404, 40403),
        ("/schemas/ids/secret", 404, 40403),
        (f"/schemas/ids/{'9' * 5000}", 404, 40403),
        ("/subjects/secret/versions", 404, 40401),
        ("/subjects/cx.scores.v1-value/versions", 404, 40401),
        (f"/subjects/{SUBJECT}/versions/7", 404, 40402),
        (f"/subjects/{SUBJECT}/versions/0", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/secret", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/{'9' * 5000}", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/0000000000001{'9' * 5000}", 422, 42202),
        ("/schemas/ids/0000000000005x", 404, 40403),
        ("/config/secret", 404, 40401),
        ("/secret", 404, 404),
    ],
)
def test_faults_have_confluents_codes_and_repeat_nothing(api: TestClient, path: str, status: int, number: int) -> None:
    body = get(api, path, status)
    assert code(body) == number
    assert "secret" not in json.dumps(body)


def deep(levels: int) -> str:
    """A schema of lists in lists."""
    return '{"type":"array","items":' * levels + '"int"' + "}" * levels


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema":5}',
        b"\xff\xfe",
        b'{"schema":"{"}',
        b"[" * 100_000,
        json.dumps({"schema": '{"type":"record"}'}).encode(),
        json.dumps({"schema": '"nothing"'}).encode(),
        json.dumps({"schema": '["null","null"]'}).encode(),
        json.dumps({"schema": "syntax = 'proto3';", "schemaType": "PROTOBUF"}).encode(),
        json.dumps({"schema": '"string"', "schemaType": "JSON"}).encode(),
        json.dumps({"schema": deep(150)}).encode(),
        json.dumps({"schema": deep(20_000)}).encode(),
        json.dumps({"schema": "[" * 100_000}).encode(),
    ],
)
@pytest.mark.parametrize("path", ["", "/versions", "/compatibility"])
def test_what_is_no_schema_is_refused(api: TestClient, path: str, body: bytes) -> None:
    """Soon, and by the code for it."""
    address = f"/subjects/{SUBJECT}{path}"
    if path == "/compatibility":
        address = f"/compatibility/subjects/{SUBJECT}/versions/latest"
    answer = api.post(f"/registry{address}", content=body)
    assert (answer.status_code, code(answer.json())) == (422, 42201), answer.text


def test_a_body_without_end_is_refused(api: TestClient) -> None:
    answer = api.post(f"/registry/subjects/{SUBJECT}", content=b" " * (MOST_BYTES + 1))
    assert (answer.status_code, code(answer.json())) == (413, 413)


def of_many_branches() -> Any:
    """A union of as many records as fit into a body."""
    return [{"type": "record", "name": f"R{n}", "fields": []} for n in range(9_000)]


def of_many_symbols() -> Any:
    """An enum with as many symbols as are let in."""
    return {"type": "enum", "name": "Cause", "symbols": [f"s{n}" for n in range(45_000)]}


@pytest.mark.parametrize("kind", [of_many_branches(), of_many_symbols()], ids=["branches", "symbols"])
@pytest.mark.timeout(20)
def test_the_largest_schemas_are_judged_soon(api: TestClient, kind: Any) -> None:
    """In time that grows with their size, not with its square: that would be minutes."""
    schema = {**load("score"), "fields": [{"name": "cause", "type": kind}]}
    assert post(api, f"/compatibility/subjects/{SUBJECT}/versions/latest", schema) == {"is_compatible": False}
    assert code(post(api, f"/subjects/{SUBJECT}", schema, 404)) == 40403


def test_it_is_in_the_openapi_document_with_examples(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    found = {path: verbs for path, verbs in document["paths"].items() if path.startswith("/registry/")}
    assert {
        "/registry/schemas/ids/{schema_id}",
        "/registry/schemas/types",
        "/registry/subjects",
        "/registry/subjects/{subject}",
        "/registry/subjects/{subject}/versions",
        "/registry/subjects/{subject}/versions/{version}",
        "/registry/compatibility/subjects/{subject}/versions/{version}",
        "/registry/config",
    } <= set(found)
    for verbs in found.values():
        for operation in verbs.values():
            assert "example" in operation["responses"]["200"]["content"][MEDIA]
            assert operation["summary"]


def test_strangers_pages_are_kept_out_here_too(api: TestClient) -> None:
    assert api.get("/registry/subjects", headers={"Origin": "https://evil.example"}).status_code == 403
    assert api.get("/registry/subjects", headers={"Host": "evil.example"}).status_code == 400


def test_our_own_client_reads_and_writes_with_it(url: str) -> None:
    """Records written by ids from files are read by ids from here, and the other way round."""
    registry = HttpRegistry(url)
    subject = "cx.touchpoints.web.v1-value"
    assert registry.schema_id("touchpoint", subject) == FileRegistry().schema_id("touchpoint", subject)
    value = Encoder("touchpoint", registry, subject).encode(touchpoint())
    assert value == Encoder("touchpoint", FileRegistry(), subject).encode(touchpoint())
    assert Decoder("touchpoint", HttpRegistry(url)).decode(value) == touchpoint()
    with pytest.raises(SchemaUnknown):
        registry.schema(99)
    with pytest.raises(RegistryRefused, match="read-only mode"):
        registry.schema_id("session", subject)
    assert registry.look_up(subject, load("session")) is None


def test_registering_with_it_is_refused_in_words_and_a_dry_run_finds_everything(url: str) -> None:
    found = list(register(HttpRegistry(url), subjects("cx."), dry_run=True))
    assert {one.state for one in found} == {"known"}
    assert {one.subject for one in found} == set(subjects("cx."))
    with pytest.raises(RegistryUnavailable, match=r"HTTP 405.*this registry is read-only"):
        list(register(HttpRegistry(url), subjects("cx.")))


def test_the_golden_bytes_name_its_ids(url: str) -> None:
    registry = HttpRegistry(url)
    for record, version in catalogue_of_files().values():
        golden = json.loads(Path(__file__).with_name("golden").joinpath(f"{record}-{version}.json").read_text())
        assert registry.schema(golden["schema_id"]) == load(record, version)
