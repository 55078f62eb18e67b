"""Schema registries over HTTP: a small one in memory that registers, looks up and refuses, and our own endpoints."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from typing import Any

import uvicorn

from pipeline.config import Settings
from pipeline.serve.app import create_api
from pipeline.serve.clickhouse import Parameters, Row, Unavailable
from tests.harness.waiting import until

Answer = tuple[int, Any]


@dataclass
class Registered:
    """What a registry holds: schema texts by id, ids by subject and version, levels by subject; and what it was asked."""

    texts: dict[int, str] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """What a registry says."""
        self.asked.append((method, path))
        if found := re.fullmatch(r"/schemas/ids/(\d+)", path):
            text = self.texts.get(int(found[1]))
            return (200, {"schema": text}) if text else (404, {"error_code": 40403, "message": "Schema not found"})
        if found := re.fullmatch(r"/config/([^/]+)", path):
            self.levels[found[1]] = body["compatibility"]
            return 200, body
        if found := re.fullmatch(r"/subjects/([^/]+)(/versions)?", path):
            return self._subject(found[1], body["schema"], register=bool(found[2]))
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _subject(self, subject: str, text: str, *, register: bool) -> Answer:
        ids = self.subjects.get(subject, [])
        known = next((number for number in ids if self.texts[number] == text), None)
        if known is not None:
            return 200, {"id": known, "version": ids.index(known) + 1, "subject": subject, "schema": text}
        if not register:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        if subject in self.refuses:
            return 409, {"error_code": 409, "message": f"Schema being registered is incompatible for {subject}"}
        number = next((held for held, one in self.texts.items() if one == text), len(self.texts) + 100)
        self.texts[number] = text
        self.subjects.setdefault(subject, []).append(number)
        return 200, {"id": number}


@contextmanager
def answering(answer: Callable[[str, str, Any], Answer]) -> Iterator[str]:
    """The address of a server that answers (method, path, JSON body or None) with a status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, said = answer(self.command, self.path, json.loads(body) if body else None)
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class NoRows:
    """A ClickHouse that is away: the registry needs none."""

    async def rows(self, sql: str, parameters: Parameters | None = None) -> Sequence[Row]:
        """See Source."""
        raise Unavailable("there is none")


@contextmanager
def our_registry(home: Path) -> Iterator[str]:
    """The address of the registry that `serve` offers, without a ClickHouse behind it."""
    listener = create_server(("127.0.0.1", 0))
    given: dict[str, Any] = {"home": home}
    api = create_api(Settings(**given), NoRows())
    server = uvicorn.Server(uvicorn.Config(api, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started, 20, "the registry listens")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/registry"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
