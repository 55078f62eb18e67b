"""Apicurio Registry, a schema registry that is not ours: pinned, fetched once from a Maven repository, run by the bundled Java."""

import os
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from socket import create_server
from typing import Final

from jgo.maven import MavenContext, PythonResolver

from deploy.embedded.java import find_java, java_environment
from tests.harness.waiting import until

VERSION: Final = "3.3.3"
SHA256: Final = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
CONFLUENTS: Final = "/apis/ccompat/v7"
START_S: Final = 120


@contextmanager
def apicurio(folder: Path) -> Iterator[str]:
    """The address at which one of its own, with nothing in it, speaks Confluent's interface; its files are in `folder`."""
    with tarfile.open(_fetched()) as packed:
        packed.extractall(folder, filter="data")
    with create_server(("127.0.0.1", 0)) as one, create_server(("127.0.0.1", 0)) as other:
        port, management = one.getsockname()[1], other.getsockname()[1]
    given = {"quarkus.http.host": "127.0.0.1", "quarkus.http.port": port, "quarkus.management.port": management}
    options = ["-Xmx512m", *(f"-D{name}={value}" for name, value in given.items())]
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(
            [find_java(), *options, "-jar", "quarkus-run.jar"],
            cwd=folder,
            env=java_environment(),
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}{CONFLUENTS}"
    try:
        until(lambda: process.poll() is not None or _answers(url), START_S, "the registry answers")
        assert process.poll() is None, (folder / "registry.log").read_text()[-3000:]
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _fetched() -> Path:
    """The packed program, as pinned; 150 MiB, kept where Kafka's jars are kept."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if Path(root).is_absolute() else Path.home() / ".cache"
    kept = base / "touchstream" / "apicurio"
    context = MavenContext(resolver=PythonResolver(), repo_cache=kept)
    component = context.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
    found: Path = component.artifact("all", "tar.gz").resolve()
    with found.open("rb") as file:
        right = file_digest(file, "sha256").hexdigest() == SHA256
    if not right:
        found.unlink()
        raise AssertionError(f"what was fetched as {found.name} is not the pinned file")
    return found
