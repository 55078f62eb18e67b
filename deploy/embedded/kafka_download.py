"""Downloads the pinned jars with jgo, a resolver of Maven artifacts that needs no Java."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import requests

from deploy.embedded.kafka_errors import EmbeddedKafkaError
from deploy.embedded.kafka_jars import Jar, Manifest, Progress, is_intact, room_for

_OFFLINE = "check the network, or set TOUCHSTREAM_KAFKA_JARS to a directory that holds Kafka's jars"
_PARALLEL = 4
_TRIES = 2
_REPORT_EVERY_S = 0.2
_TIMEOUT_S = 30
_UNFINISHED = ".download-"


def fill_cache(manifest: Manifest, directory: Path, progress: Progress) -> None:
    """Download what `directory` lacks of `manifest`; a file appears in it only when it is whole and verified.

    One process at a time downloads, others wait for it. Raises EmbeddedKafkaError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone(directory, lambda: progress(0, manifest.size, "another process is downloading")):
            _clear_unfinished(directory)
            lacking = [jar for jar in manifest.jars if not is_intact(jar, directory)]
            if lacking and not room_for(manifest, directory):
                raise EmbeddedKafkaError(f"no space left for Kafka's jars in {directory}", "make room on that disk")
            _download_all(lacking, manifest, directory, progress)
    except OSError as error:
        advice = "make it writable, or set XDG_CACHE_HOME to a directory that is"
        raise EmbeddedKafkaError(f"cannot write Kafka's jars to {directory} ({error.strerror})", advice) from error


class _Transfer:
    """The bytes received so far, counted by the downloading threads, and the order to give up."""

    def __init__(self) -> None:
        self._received: dict[str, int] = {}
        self._given_up = threading.Event()

    @property
    def received(self) -> int:
        return sum(self._received.copy().values())

    def give_up(self) -> None:
        self._given_up.set()

    def restart(self, name: str) -> None:
        self._received[name] = 0

    @contextmanager
    def counting(self, name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """What jgo calls for each file it downloads."""

        def count(received: int) -> None:
            self._received[name] += received
            if self._given_up.is_set():
                raise CancelledError

        yield count


def _download_all(lacking: list[Jar], manifest: Manifest, directory: Path, progress: Progress) -> None:
    had = manifest.size - sum(jar.size for jar in lacking)
    transfer = _Transfer()
    with (
        tempfile.TemporaryDirectory(dir=directory, prefix=_UNFINISHED) as scratch,
        ThreadPoolExecutor(_PARALLEL, thread_name_prefix="kafka-jars") as pool,
    ):
        pending = {pool.submit(_download, jar, Path(scratch), directory, transfer): jar for jar in lacking}
        try:
            while pending:
                finished, _ = wait(pending, timeout=_REPORT_EVERY_S, return_when=FIRST_COMPLETED)
                what = [pending.pop(future).file_name for future in finished if future.result() is None]
                progress(min(had + transfer.received, manifest.size), manifest.size, what[0] if what else "")
        except BaseException:
            transfer.give_up()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _download(jar: Jar, scratch: Path, directory: Path, transfer: _Transfer) -> None:
    fetched = _fetch(jar, scratch, transfer)
    fetched.rename(scratch / jar.file_name)
    if not is_intact(jar, scratch):
        problem = f"what {_source()} sent as {jar.file_name} is not the pinned file"
        raise EmbeddedKafkaError(problem, "try again; if it stays so, something between you and it changes files")
    os.replace(scratch / jar.file_name, directory / jar.file_name)


def _fetch(jar: Jar, scratch: Path, transfer: _Transfer) -> Path:
    from jgo.maven import MavenContext, PythonResolver

    reason = ""
    for attempt in range(_TRIES):
        transfer.restart(jar.file_name)
        context = MavenContext(
            resolver=PythonResolver(progress_callback=transfer.counting),
            # A place of its own for each try: jgo takes what a broken download left behind for the whole file.
            repo_cache=scratch / f"{jar.artifact}-{attempt}",
            remote_repos=_repositories(),
            timeout=_TIMEOUT_S,
        )
        try:
            found: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            return found
        except requests.Timeout:
            reason = "no answer in time"
        except requests.RequestException:
            reason = "no connection"
        except RuntimeError:
            # This is how jgo says that no repository served the file.
            reason = "it does not serve the file"
    raise EmbeddedKafkaError(f"{jar.file_name} could not be downloaded from {_source()} ({reason})", _OFFLINE)


def _repositories() -> dict[str, str] | None:
    """The repositories that the user's jgo configuration names (a company's mirror, say); None is Maven Central."""
    from jgo.config import GlobalSettings

    return GlobalSettings.load().repositories or None


def _source() -> str:
    named = _repositories()
    return "Maven Central" if named is None else f"the repositories of jgo's configuration ({', '.join(sorted(named))})"


@contextmanager
def _alone(directory: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear_unfinished(directory: Path) -> None:
    for left in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)
