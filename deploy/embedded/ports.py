"""Which ports the embedded servers listen on: the same ones at every start of a home, as long as they are free."""

import json
import random
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.embedded.files import write_atomically

HOST = "127.0.0.1"
# Below the range that systems give to outgoing connections: a client that keeps trying to reach a port inside it
# while the server is away can end up connected to itself, and the server then finds its own port taken.
_CANDIDATES = range(20_000, 32_000)
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Ports:
    """The two ports of a Kafka node; 0 means that none is known."""

    broker: int = 0
    controller: int = 0


def is_free(port: int) -> bool:
    """Whether a server may listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def pick(remembered: int, avoid: frozenset[int] = frozenset()) -> int:
    """`remembered` when it is free, else some free port; never one of `avoid`."""
    if remembered and remembered not in avoid and is_free(remembered):
        return remembered
    for port in random.sample(_CANDIDATES, _TRIES):
        if port not in avoid and is_free(port):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def recall(path: Path) -> Ports:
    """The ports written to `path` by `remember`; unknown ones when there is no such file or it is not readable."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Ports(int(stored["broker"]), int(stored["controller"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Ports()


def remember(path: Path, ports: Ports) -> None:
    """Write `ports` to `path` for the next start."""
    write_atomically(path, json.dumps(asdict(ports)) + "\n")
