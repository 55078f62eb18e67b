"""What peers need and touchstream does not: a venv of the bench's own, and Kafka Streams built with Maven."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench.broker import ROOT
from tests.bench.systems import HERE

VENV: Final = Path(os.environ.get("BENCH_VENV", ROOT / ".venv-bench"))
LOCK: Final = HERE / "requirements-peers.lock"
PROJECT: Final = HERE / "kafka_streams"
JAR: Final = PROJECT / "target" / "bench-kafka-streams.jar"
Say = Callable[[str], None]


def python(say: Say) -> Path | None:
    """The interpreter of the bench's venv, made when there is none; None, with a word, when it cannot be had."""
    found, done = VENV / "bin" / "python", VENV / ".installed"
    if done.exists() and done.read_bytes() == LOCK.read_bytes():
        return found
    say(f"installing the peers into {VENV} (once)")
    pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(VENV)], [*pip, "--require-hashes", "-r", str(LOCK)]):
        if not _ran(command, say):
            say("the peers in Python are left out: their packages cannot be installed")
            return None
    done.write_bytes(LOCK.read_bytes())
    return found


def kafka_streams(say: Say) -> Path | None:
    """The jar of the Kafka Streams peer, built when its sources are newer; None, with a word, without Java or Maven."""
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        say(f"Kafka Streams is left out: no {' and no '.join(missing)} here")
        return None
    sources = [PROJECT / "pom.xml", *PROJECT.glob("src/**/*.java")]
    if JAR.exists() and JAR.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return JAR
    say("building Kafka Streams' program (once)")
    copy = ["dependency:copy-dependencies", "-DoutputDirectory=target/lib", "-DincludeScope=runtime"]
    built = _ran(["mvn", "-q", "-B", "-f", str(PROJECT / "pom.xml"), "package", *copy], say)
    if not built:
        say("Kafka Streams is left out: it cannot be built")
    return JAR if built else None


def _ran(command: list[str], say: Say) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        say((done.stderr or done.stdout).strip()[-500:])
    return done.returncode == 0
