"""Where a process dies on demand, and that a wrong demand is refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.crash import SINK_POINTS, STAGE_POINTS, VARIABLE, CrashPointMalformed, crash_point


def test_without_the_variable_nothing_is_armed() -> None:
    assert crash_point({}) is None


@pytest.mark.parametrize("point", STAGE_POINTS)
def test_the_nth_passage_kills(point: str) -> None:
    armed = crash_point({VARIABLE: f"journey:{point}:3"})
    assert armed is not None
    assert not armed.passed("resolve", point)
    assert not armed.passed("journey", "elsewhere")
    assert [armed.passed("journey", point) for _ in range(3)] == [False, False, True]


def test_the_sink_has_points_of_its_own() -> None:
    for point in SINK_POINTS:
        assert crash_point({VARIABLE: f"sink:{point}:1"}) is not None


@pytest.mark.parametrize(
    "text", ["journey", "journey:nowhere:1", "journey:folded", "journey:folded:0", "journey:folded:x", "sink:folded:1"]
)
def test_a_wrong_demand_is_refused(text: str) -> None:
    with pytest.raises(CrashPointMalformed):
        crash_point({VARIABLE: text})


def test_it_is_a_real_kill() -> None:
    code = (
        "import os; from pipeline.crash import arm, here; arm(os.environ);"
        "here('journey', 'folded'); here('journey', 'folded'); print('alive')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, VARIABLE: "journey:folded:2"}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-9, b"")


def test_it_dies_in_the_midst_of_what_does_not_listen() -> None:
    """One call into C that holds the interpreter for good."""
    code = (
        "import os; from pipeline.crash import arm, soon; arm(os.environ);"
        "soon('journey', 'saving'); sum(range(10**12)); print('alive')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, VARIABLE: "journey:saving:1"}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGALRM, b"")


def test_the_settings_know_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "journey:folded:1")
    load()
