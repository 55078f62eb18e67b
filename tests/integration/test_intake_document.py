"""The intake's OpenAPI document against the running intake: what it says is what is answered, whatever is sent.

All checks of Schemathesis are on. One is told more, in tests/hostile/schemathesis.toml, where the reason stands. Its stateful phase
has nothing to do: the document has no links between operations. A longer run:
`SCHEMATHESIS_HOOKS=tests.hostile.schemathesis_hooks schemathesis --config-file tests/hostile/schemathesis.toml run URL/openapi.json
-H "Authorization: Bearer KEY" --checks all -n 2000`
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.harness.installation import Installation

COMMAND: Final = Path(sys.executable).with_name("schemathesis")
ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "tests" / "hostile" / "schemathesis.toml"
EXAMPLES: Final = 25
NOTHING_FOUND: Final = 0

pytestmark = pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")


def test_the_document_says_what_is_so(shared: Installation, tmp_path: Path) -> None:
    """Valid and invalid bodies, no key, other methods: status, media type, headers and form of every answer."""
    key, url = shared.told("keys", "add", "document")["key"], shared.told("status")["intake"]
    arguments = ["--config-file", str(CONFIG), "run", f"{url}/openapi.json", "--checks", "all", "--no-color"]
    options = [
        "-H",
        f"Authorization: Bearer {key}",
        "-n",
        str(EXAMPLES),
        "--seed",
        "1",
        "--phases",
        "examples,coverage,fuzzing",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.hostile.schemathesis_hooks"}
    done = subprocess.run(
        [COMMAND, *arguments, *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == NOTHING_FOUND, done.stdout[-5000:] + done.stderr[-2000:]
