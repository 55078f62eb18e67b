"""Schemas by id: from files, and from a registry that may answer anything at all."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from schemas.registry import (
    MOST_BYTES,
    UNKNOWN_S,
    FileRegistry,
    HttpRegistry,
    RegistryUnavailable,
    SchemaUnknown,
    SchemaUnusable,
    catalogue_of_files,
    load,
)


class Answers(BaseHTTPRequestHandler):
    """Answers what a test has put in place, raw, and remembers what it was asked."""

    raw: ClassVar[bytes] = b""
    asked: ClassVar[list[tuple[str, str, str, bytes]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        self.wfile.write(self.raw)
        self.close_connection = True

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that answers with `Answers.raw`."""
    Answers.asked.clear()
    http = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


def response(body: Any, status: int = 200) -> bytes:
    """A whole HTTP answer with JSON."""
    text = json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def test_files_have_every_schema_under_its_id() -> None:
    """And what they do not have is said."""
    registry = FileRegistry()
    for number, (record, version) in catalogue_of_files().items():
        assert registry.schema(number) == load(record, version)
        newest = max(n for name, n in catalogue_of_files().values() if name == record)
        assert version < newest or registry.schema_id(record, "any") == number
    with pytest.raises(SchemaUnknown, match="no schema has the id 99"):
        registry.schema(99)
    with pytest.raises(SchemaUnknown, match="no record 'nothing'"):
        registry.schema_id("nothing", "any")
    with pytest.raises(SchemaUnknown, match="in version 7"):
        load("touchpoint", 7)


def test_a_schema_is_asked_for_once(server: str) -> None:
    """Ids never change their meaning."""
    Answers.raw = response({"schema": json.dumps(load("touchpoint"))})
    registry = HttpRegistry(server + "/", user="ann", password="geheim")
    assert registry.schema(7) == registry.schema(7) == load("touchpoint")
    assert [asked[:3] for asked in Answers.asked] == [("GET", "/schemas/ids/7", "Basic YW5uOmdlaGVpbQ==")]


def test_our_schema_is_registered_under_its_subject(server: str) -> None:
    """And the id that it got is ours."""
    Answers.raw = response({"id": 42})
    assert HttpRegistry(server).schema_id("touchpoint", "cx.t-value") == 42
    ((method, path, authorization, body),) = Answers.asked
    assert (method, path, authorization) == ("POST", "/subjects/cx.t-value/versions", "")
    assert json.loads(json.loads(body)["schema"]) == load("touchpoint")


@pytest.mark.parametrize(
    "answer",
    [response({}, 404), response({}, 409), response({}, 422), response({"schema": "proto3", "schemaType": "PROTOBUF"})],
    ids=["not found", "incompatible", "invalid", "not Avro"],
)
def test_a_schema_that_cannot_be_had_is_unknown(server: str, answer: bytes) -> None:
    """The record is at fault, not the registry."""
    Answers.raw = answer
    with pytest.raises(SchemaUnknown):
        HttpRegistry(server).schema(7)


def test_an_unknown_id_is_not_asked_for_again_at_once(server: str) -> None:
    """A flood of records under it costs one question; after a while there is another, and the answer may have changed."""
    now = 100.0
    Answers.raw = response({}, 404)
    registry = HttpRegistry(server, clock=lambda: now)
    for _ in range(50):
        with pytest.raises(SchemaUnknown):
            registry.schema(7)
    assert len(Answers.asked) == 1
    with pytest.raises(SchemaUnknown):
        registry.schema(8)
    assert len(Answers.asked) == 2
    now += UNKNOWN_S
    Answers.raw = response({"schema": json.dumps(load("touchpoint"))})
    assert registry.schema(7) == load("touchpoint")


@pytest.mark.parametrize(
    "schema", ["[" * 200_000 + "]" * 200_000, " " * MOST_BYTES + "{}"], ids=["nested without end", "too large"]
)
def test_a_schema_that_nobody_should_read_is_said_to_be_one(server: str, schema: str) -> None:
    """And ends nothing."""
    Answers.raw = response({"schema": schema})
    with pytest.raises(SchemaUnusable):
        HttpRegistry(server).schema(7)


@pytest.mark.parametrize(
    "answer",
    [
        response({}, 500),
        response({}, 401),
        b"HTTP/1.1 200 X\r\n\r\n<html>",
        b"",
        b"SSH-2.0\r\n",
        b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 X\r\nContent-Length: 12\r\n\r\n" + b'{"schema":1}',
        b"HTTP/1.1 200 X\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
    ],
    ids=[
        "fault",
        "forbidden",
        "html",
        "silence",
        "another protocol",
        "half an answer",
        "a list",
        "no schema",
        "a number",
        "nesting without end",
    ],
)
def test_a_registry_in_trouble_is_worth_another_try(server: str, answer: bytes) -> None:
    """Whatever it says, the stage waits and asks again."""
    Answers.raw = answer
    with pytest.raises(RegistryUnavailable):
        HttpRegistry(server, password="geheim").schema(7)


def test_an_answer_without_an_id_is_none(server: str) -> None:
    """Something else listens there."""
    Answers.raw = response({"schema": "{}"})
    with pytest.raises(RegistryUnavailable, match="is not a schema registry"):
        HttpRegistry(server).schema_id("touchpoint", "cx.t-value")


def test_a_registry_that_is_not_there_is_worth_another_try() -> None:
    """With its address in the message."""
    with pytest.raises(RegistryUnavailable, match=r"http://127\.0\.0\.1:1 does not answer"):
        HttpRegistry("http://127.0.0.1:1", timeout_s=2).schema(7)
