"""The jars of Apache Kafka: a pinned list, a cache that all homes share, a directory for machines without a network."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from tomllib import loads
from typing import Any

from deploy.embedded.kafka_errors import EmbeddedKafkaError

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the file at hand; always from the thread that asked for the jars."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file: where it is in the Maven repository, and what it must be."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All jars that one version of Kafka needs to run as a broker, in class path order."""

    kafka: str
    jars: tuple[Jar, ...]

    @property
    def size(self) -> int:
        """Bytes of all jars together."""
        return sum(jar.size for jar in self.jars)


def load_manifest() -> Manifest:
    """The pinned jars, as the distribution carries them."""
    return parse_manifest(Path(__file__).with_name("kafka_jars.toml").read_text(encoding="utf-8"))


def parse_manifest(text: str) -> Manifest:
    """The manifest that the TOML `text` describes."""
    data = loads(text)
    return Manifest(data["kafka"], tuple(_jar(entry) for entry in data["jar"]))


def cache_directory(manifest: Manifest) -> Path:
    """Where the jars of `manifest` are kept for all homes of this user (XDG_CACHE_HOME is respected)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if Path(root).is_absolute() else Path.home() / ".cache"
    return base / "touchstream" / f"kafka-{manifest.kafka}"


def ensure_jars(jars_dir: Path | None = None, progress: Progress | None = None) -> list[Path]:
    """The verified jars, in class path order: those in `jars_dir` if given, else the cached ones, downloaded if need be.

    Two processes may call this at once. Raises EmbeddedKafkaError when a jar is missing, is not the pinned one, or
    cannot be downloaded; nothing is downloaded when `jars_dir` is given.
    """
    manifest = load_manifest()
    if jars_dir is not None:
        return _given(manifest, jars_dir.expanduser())
    directory = cache_directory(manifest)
    if any(not is_intact(jar, directory) for jar in manifest.jars):
        from deploy.embedded.kafka_download import fill_cache

        fill_cache(manifest, directory, progress or _silent)
    return [directory / jar.file_name for jar in manifest.jars]


def is_intact(jar: Jar, directory: Path) -> bool:
    """Whether `directory` holds exactly the pinned file."""
    path = directory / jar.file_name
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _given(manifest: Manifest, directory: Path) -> list[Path]:
    missing = [jar.file_name for jar in manifest.jars if not (directory / jar.file_name).is_file()]
    if missing:
        advice = f"copy them from {cache_directory(manifest)} of a machine where Kafka has run, or unset TOUCHSTREAM_KAFKA_JARS"
        raise EmbeddedKafkaError(f"{directory} lacks {_listed(missing)} of Kafka {manifest.kafka}", advice)
    wrong = [jar.file_name for jar in manifest.jars if not is_intact(jar, directory)]
    if wrong:
        advice = "replace it: it is damaged or of another version"
        raise EmbeddedKafkaError(f"the checksum of {_listed(wrong)} in {directory} is not the pinned one", advice)
    return [directory / jar.file_name for jar in manifest.jars]


def _listed(names: list[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more jars"


def _jar(entry: dict[str, Any]) -> Jar:
    group, artifact, version = entry["coordinates"].split(":")
    return Jar(group, artifact, version, entry["sha256"], entry["bytes"])


def _silent(_done: int, _total: int, _what: str) -> None:
    return None


def room_for(manifest: Manifest, directory: Path) -> bool:
    """Whether the disk of `directory` can take all jars once more."""
    return shutil.disk_usage(directory).free > manifest.size
