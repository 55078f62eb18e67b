"""Why Kafka did not start or did not go on: from the words in its log to one line for the user."""

import re
import signal
from pathlib import Path

from deploy.embedded.kafka_errors import EmbeddedKafkaError, PortTakenError

_LOUD = re.compile(r"\b(FATAL|ERROR)\b|Exception|^Error")
_LONGEST = 200


def explain(log: str, home: Path, heap_mb: int, disk_full: bool = False) -> EmbeddedKafkaError:
    """The error that `log`, all that Kafka wrote since it was started, stands for.

    With `disk_full` a log that says nothing known is one that could not be written.
    """
    port = re.search(r"failed to bind to \S*:(\d+): Address already in use", log, re.IGNORECASE)
    if port:
        return PortTakenError(int(port.group(1)))
    for words, problem, advice in _known(home, heap_mb):
        if re.search(words, log):
            return EmbeddedKafkaError(problem, advice)
    if disk_full:
        return no_space(home)
    return EmbeddedKafkaError(f"Kafka did not start ({_loudest(log)})", f"read {home / 'kafka' / 'server.log'}")


def killed(code: int) -> EmbeddedKafkaError:
    """A signal ended it; `code` is the exit code that says which."""
    name = signal.Signals(-code).name
    return EmbeddedKafkaError(
        f"Kafka was ended by {name}", "when memory runs out the system does that, and its log says so"
    )


def no_space(home: Path) -> EmbeddedKafkaError:
    """The disk of `home` is full."""
    return EmbeddedKafkaError(f"no space left on the disk of {home}", "make room, or choose another home")


def already_running(home: Path) -> EmbeddedKafkaError:
    """Another process works on the same home."""
    return EmbeddedKafkaError(f"another Kafka runs on this home ({home})", "stop it first, or choose another home")


def not_writable(home: Path) -> EmbeddedKafkaError:
    """The data cannot be written."""
    return EmbeddedKafkaError(
        f"Kafka may not write to {home}", "give it to the user who runs it, or choose another home"
    )


def _known(home: Path, heap_mb: int) -> list[tuple[str, str, str]]:
    full, running, forbidden = no_space(home), already_running(home), not_writable(home)
    return [
        (r"No space left on device|Disk quota exceeded", full.problem, full.advice),
        (r"Failed to acquire lock on file", running.problem, running.advice),
        (r"Permission denied|AccessDeniedException|Read-only file system", forbidden.problem, forbidden.advice),
        (r"UnsupportedClassVersionError", "this Java is too old for Kafka", "take the bundled one"),
        (
            r"OutOfMemoryError|Could not reserve enough space|Too small maximum heap|Invalid maximum heap",
            f"Kafka cannot work with a heap of {heap_mb} MiB",
            "give it another size, 512 is usual, or free memory",
        ),
    ]


def _loudest(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    loud = [line for line in lines if _LOUD.search(line)]
    chosen = (loud or lines[-1:] or ["it wrote nothing"])[0]
    return chosen[:_LONGEST]
