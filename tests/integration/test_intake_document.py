"""The intake's OpenAPI document against the running intake: what it says is what is answered, whatever is sent.

All checks of Schemathesis are on. One is told more, in tests/hostile/schemathesis.toml, where the reason stands. Its stateful phase
has nothing to do: the document has no links between operations. A longer run:
`SCHEMATHESIS_HOOKS=tests.hostile.schemathesis_hooks schemathesis --config-file tests/hostile/schemathesis.toml run URL/openapi.json
-H "Authorization: Bearer KEY" --checks all -n 2000`
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx
import pytest

from pipeline import ready
from tests.harness.installation import Installation
from tests.harness.waiting import until

COMMAND: Final = Path(sys.executable).with_name("schemathesis")
ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "tests" / "hostile" / "schemathesis.toml"
EXAMPLES: Final = 25
START_S: Final = 30.0
READY: Final = 200

pytestmark = pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")


@pytest.fixture
def url_and_key(shared: Installation, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An intake of its own at the shared broker: one that does not stop a source for having nearly all of it rejected."""
    own = {"kafka_bootstrap": shared.bootstrap(), "breaker_run": "0", "breaker_share": "0"}
    intake = Installation(tmp_path / "home", own)
    intake.home.mkdir()
    key = intake.told("keys", "add", "document")["key"]
    process = intake.begin("run", "intake")
    try:
        told = until(lambda: ready.heard(intake.settings, "intake"), START_S, "the intake is ready") or {}
        until(lambda: httpx.get(f"{told['url']}/readyz").status_code == READY, START_S, "it has found Kafka")
        yield told["url"], key
    finally:
        process.terminate()
        process.wait(START_S)


def test_the_document_says_what_is_so(url_and_key: tuple[str, str], tmp_path: Path) -> None:
    """Valid and invalid bodies, no key, other methods: status, media type, headers and form of every answer."""
    url, key = url_and_key
    where = ["--config-file", str(CONFIG), "run", f"{url}/openapi.json", "-H", f"Authorization: Bearer {key}"]
    options = ["--checks", "all", "-n", str(EXAMPLES), "-w", "2", "--seed", "1", "--no-color"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.hostile.schemathesis_hooks"}
    done = subprocess.run(
        [COMMAND, *where, *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
