"""The command `rejected redrive` where it asks for more than it may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import rejected_rows
from pipeline.cli import rejected
from pipeline.redrives import Place, Rejected


def test_more_than_one_command_may_send_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is sent, and with what to do."""

    @contextmanager
    def no_database(_: Any) -> Iterator[None]:
        yield None

    found = [Rejected(Place("cx.t", 0, n), "resolve", "magic", "", "", "", None, 0, b"", b"") for n in range(3)]
    monkeypatch.setenv("TOUCHSTREAM_HOME", str(tmp_path))
    monkeypatch.setattr(rejected, "_working", no_database)
    monkeypatch.setattr(rejected, "MOST", 2)
    monkeypatch.setattr(rejected_rows, "find", lambda _, __, limit: found[:limit])
    done = CliRunner().invoke(rejected.app, ["redrive", "--all"])
    assert done.exit_code == 64
    assert "more than 2 records are meant: narrow it" in " ".join(done.output.split())
