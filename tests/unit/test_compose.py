"""The compose file is one that docker-compose takes, and it sets nothing that touchstream does not know."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]


def test_docker_compose_takes_it() -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run([command, "config"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for service in ("kafka:", "clickhouse:", "prepare:", "resolve:", "journey:", "sink:", "serve:"):
        assert f"\n  {service}" in done.stdout


def test_it_sets_only_what_is_a_setting() -> None:
    used = set(re.findall(rf"{PREFIX}[A-Z_]+(?=:)", (ROOT / "docker-compose.yml").read_text()))
    assert used
    assert used <= {PREFIX + name.upper() for name in Settings.model_fields}
