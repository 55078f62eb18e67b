"""Every command in README and docs is run, as a reader would run it: the blocks marked `sh`, in the order of the page."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What would run for ever, or run the tests from within a test, is run in the form that ends.
ENDING = {
    "make demo": 'make demo ARGS="--once --json"',
    "make test": "make -n test",
    "make lint": "make -n lint",
}


def commands(page: Path) -> list[str]:
    lines = "\n".join(BLOCK.findall(page.read_text())).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A shell of a reader who stands in the project's folder, with a home of this test's own."""
    not_the_readers = ("TOUCHSTREAM_", "MAKE", "MFLAGS")  # a make within a make says more
    environment = {name: value for name, value in os.environ.items() if not name.startswith(not_the_readers)}
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    yield {
        **environment,
        "PATH": path,
        "TOUCHSTREAM_HOME": str(tmp_path / "home"),
        "VENV": str(Path(sys.executable).parents[1]),
    }
    down = [sys.executable, "-m", "pipeline.cli.main", "down"]
    subprocess.run(
        down, env={**environment, "TOUCHSTREAM_HOME": str(tmp_path / "home")}, check=False, capture_output=True
    )


def run(command: str, environment: dict[str, str]) -> str:
    """Run it; what it said on stdout. It must end with 0 and without a stack trace."""
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, complained = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    assert process.returncode == 0, f"{command}\n{said}\n{complained}"
    assert "Traceback" not in complained
    return said


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_command_of_the_page_runs(page: Path, reader: dict[str, str]) -> None:
    for command in commands(page):
        said = run(ENDING.get(command, command), reader)
        if command == "make demo":
            check_demo(json.loads(said.splitlines()[-1]))


def check_demo(found: dict[str, Any]) -> None:
    names = {"produced", "stored", "rejected", "duplicates", "unexplained", "persons", "sessions", "seconds", "serve"}
    assert set(found) == names
    assert found["unexplained"] == 0
    assert found["produced"] == found["stored"] + found["rejected"] + found["duplicates"]
    assert found["stored"] > 31_106 + 69_659
    assert min(found["rejected"], found["duplicates"]) > 0
    assert found["persons"] > 23_570
    assert found["sessions"] > 3_605


def test_the_two_commands_stand_in_the_readme() -> None:
    assert {"make demo", "make test"} <= set(commands(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
