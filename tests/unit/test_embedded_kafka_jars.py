"""The jars: pinned, verified, shared; downloads from a real HTTP server on this machine."""

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

import pytest

from deploy.embedded import kafka_jars
from deploy.embedded.kafka_download import fill_cache
from deploy.embedded.kafka_errors import EmbeddedKafkaError
from deploy.embedded.kafka_jars import Jar, Manifest, cache_directory, ensure_jars, is_intact, load_manifest

CONTENT = {name: name.encode() * 20_000 for name in ("alpha", "beta", "gamma")}
MANIFEST = Manifest(
    "1.2.3",
    tuple(
        Jar("org.example.kafka", name, "1.0", hashlib.sha256(content).hexdigest(), len(content))
        for name, content in CONTENT.items()
    ),
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The files of a Maven repository on this machine, which jgo is configured to use."""
    root = tmp_path / "repository"
    for name, content in CONTENT.items():
        place = root / "org" / "example" / "kafka" / name / "1.0"
        place.mkdir(parents=True)
        (place / f"{name}-1.0.jar").write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use_repository(tmp_path, monkeypatch, server.server_address[1])
    yield root
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def small_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_jars, "load_manifest", lambda: MANIFEST)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def use_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\nnearby = http://127.0.0.1:{port}\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {".lock"}


ALL = {jar.file_name for jar in MANIFEST.jars}


def test_the_pinned_list_is_complete_and_names_no_host() -> None:
    manifest = load_manifest()
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in manifest.jars)
    assert len({jar.file_name for jar in manifest.jars}) == len(manifest.jars)
    assert f"kafka_2.13-{manifest.kafka}.jar" in {jar.file_name for jar in manifest.jars}
    assert "://" not in Path(kafka_jars.__file__).with_name("kafka_jars.toml").read_text(encoding="utf-8")


def test_jars_are_downloaded_once_and_progress_is_told(repository: Path) -> None:
    told: list[tuple[int, int, str]] = []
    jars = ensure_jars(progress=lambda done, total, what: told.append((done, total, what)))
    assert [jar.read_bytes() for jar in jars] == list(CONTENT.values())
    assert told[-1][:2] == (MANIFEST.size, MANIFEST.size)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    told.clear()
    assert ensure_jars(progress=lambda done, total, what: told.append((done, total, what))) == jars
    assert told == []


def test_a_damaged_jar_in_the_cache_is_replaced_and_leftovers_go(repository: Path) -> None:
    jars = ensure_jars()
    jars[1].write_bytes(b"half")
    (jars[1].parent / ".download-of-a-killed-process").mkdir()
    assert ensure_jars()[1].read_bytes() == CONTENT["beta"]
    assert names(jars[1].parent) == ALL


def test_what_is_not_the_pinned_file_is_never_used(repository: Path) -> None:
    served = next(repository.rglob("beta-1.0.jar"))
    served.write_bytes(b"x" * len(CONTENT["beta"]))
    with pytest.raises(EmbeddedKafkaError, match=r"sent as beta-1.0.jar is not the pinned file"):
        ensure_jars()
    assert names(cache_directory(MANIFEST)) <= ALL - {"beta-1.0.jar"}


def test_a_file_that_is_not_served(repository: Path) -> None:
    next(repository.rglob("gamma-1.0.jar")).unlink()
    with pytest.raises(EmbeddedKafkaError, match=r"gamma-1.0.jar could not be downloaded.*TOUCHSTREAM_KAFKA_JARS"):
        ensure_jars()


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    use_repository(tmp_path, monkeypatch, port)
    with pytest.raises(EmbeddedKafkaError, match=r"could not be downloaded from .*nearby.*no connection") as refused:
        ensure_jars()
    assert "TOUCHSTREAM_KAFKA_JARS" in refused.value.advice
    assert names(cache_directory(MANIFEST)) == set()


def test_a_download_can_be_given_up(repository: Path) -> None:
    def stop(_done: int, _total: int, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_jars(progress=stop)
    assert names(cache_directory(MANIFEST)) <= ALL


def fill(directory: Path) -> None:
    fill_cache(MANIFEST, directory, lambda _done, _total, _what: None)


def test_two_processes_at_once(repository: Path, tmp_path: Path) -> None:
    directory = tmp_path / "shared"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=fill, args=(directory,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert names(directory) == ALL
    assert all(is_intact(jar, directory) for jar in MANIFEST.jars)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EmbeddedKafkaError, match=r"cannot write Kafka's jars.*XDG_CACHE_HOME"):
        ensure_jars()


def test_a_directory_of_ones_own_is_never_written(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    with pytest.raises(EmbeddedKafkaError, match=r"lacks alpha-1.0.jar, beta-1.0.jar, gamma-1.0.jar of Kafka 1.2.3"):
        ensure_jars(given)
    for name, content in CONTENT.items():
        (given / f"{name}-1.0.jar").write_bytes(content)
    assert [path.name for path in ensure_jars(given)] == [jar.file_name for jar in MANIFEST.jars]
    (given / "beta-1.0.jar").write_bytes(b"other")
    with pytest.raises(EmbeddedKafkaError, match=r"checksum of beta-1.0.jar in .* is not the pinned one"):
        ensure_jars(given)
    assert names(given) == ALL
