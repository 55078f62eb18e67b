"""The embedded Kafka with further addresses, each of which it advertises as another port: so that a proxy stands in between.

`python -m tests.harness.broker --home DIR --port N --door JOURNEY:inner:outer` runs it until SIGTERM.
"""

import argparse
import os
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.embedded import kafka
from deploy.embedded.kafka_home import KafkaHome
from deploy.embedded.ports import HOST, Ports


@dataclass(frozen=True, slots=True)
class Door:
    """A listener by name: the port it listens on, and the port under which its clients come back."""

    name: str
    inner: int
    outer: int

    @classmethod
    def parse(cls, text: str) -> "Door":
        """From NAME:inner:outer."""
        name, inner, outer = text.split(":")
        return cls(name, int(inner), int(outer))

    def __str__(self) -> str:
        return f"{self.name}:{self.inner}:{self.outer}"


@dataclass(frozen=True, slots=True)
class HomeWithDoors(KafkaHome):
    """The files of a Kafka whose configuration has more listeners."""

    doors: tuple[Door, ...] = field(default=())

    def configure(self, ports: Ports) -> None:
        """Write the usual configuration, then the doors: a later line replaces an earlier one."""
        KafkaHome.configure(self, ports)
        broker, controller = f"PLAINTEXT://{HOST}:{ports.broker}", f"CONTROLLER://{HOST}:{ports.controller}"
        kinds = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *(f"{door.name}:PLAINTEXT" for door in self.doors)]
        listeners = [broker, controller, *(f"{door.name}://{HOST}:{door.inner}" for door in self.doors)]
        advertised = [broker, *(f"{door.name}://{HOST}:{door.outer}" for door in self.doors)]
        with self.properties.open("a") as file:
            file.write(f"listener.security.protocol.map={','.join(kinds)}\n")
            file.write(f"listeners={','.join(listeners)}\nadvertised.listeners={','.join(advertised)}\n")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--heap-mb", type=int, default=512)
    parser.add_argument("--door", type=Door.parse, action="append", default=[])
    given = parser.parse_args()
    doors = tuple(given.door)

    # The server makes the files' object itself, from the home alone.
    vars(kafka)["KafkaHome"] = partial(HomeWithDoors, doors=doors)
    try:
        options = kafka.KafkaOptions(given.home, given.port, heap_mb=given.heap_mb)
        kafka.serve(options, lambda _: (given.home / "ready").touch())
    except kafka.EmbeddedKafkaError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_UNAVAILABLE
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
