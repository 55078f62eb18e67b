"""`touchstream sources` in words: whatever a name or a reason looks like, and whatever the server says."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from pipeline.cli import sources
from pipeline.serve import source_models as out

ODD = "[/red] [bold]odd"
NO_DELAY = {"sampled": 0, "p5": None, "p50": None, "p95": None, "p99": None}
ONE = out.SourceDetailsOut.model_validate(
    {
        "name": ODD,
        "state": "rejecting",
        "findings": [ODD],
        "last_event": None,
        "silent_at": None,
        "rate": 0,
        "usual_rate": None,
        "usual_by": None,
        "received": 60,
        "rejected": 60,
        "rejected_share": 1.0,
        "data_kinds": [],
        "alerts": [],
        "fields": [{"name": "agent", "share": 0.5, "share_before": None, "drifting": True}],
        "fields_of": 2,
        "kinds": [{"name": "unlisted", "touchpoints": 2, "event_types": [ODD]}],
        "hours": [{"hour": "2026-03-02T09:00:00.000Z", "touchpoints": 0, "usual": None, "rejected": 60}],
        "lateness": NO_DELAY,
        "clock": NO_DELAY,
        "rejected_reasons": {ODD: 60},
    }
).model_dump()


def test_nothing_from_outside_is_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    sources._show_one(ONE)
    sources._show_all({"sources": [ONE], "alerts": [{"severity": ODD, "rule": ODD, "raised_at": ODD, "summary": ODD}]})
    said = capsys.readouterr().out
    assert f"rejected    60 of 60 records: {ODD} 60" in said
    assert said.count(ODD) == 9


class Odd(BaseHTTPRequestHandler):
    """Says what a server says that ends in the middle, or that is another one."""

    def do_GET(self) -> None:
        """Answer."""
        body = b"<html>" if self.path == "/html" else json.dumps(ONE).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (0 if self.path == "/html" else 100)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def odd() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("path", ["/cut", "/html"])
def test_what_is_no_answer_is_said_in_a_line(odd: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sources._get(odd + path)
    assert ended.value.code == 69
    assert "the board's process does not answer" in capsys.readouterr().err
