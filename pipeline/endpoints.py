"""Where Kafka, ClickHouse and the board listen: from the settings, or from what `touchstream up` wrote down."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.config import Settings


class NotRunning(Exception):
    """Neither the settings nor a running `touchstream up` say where a server is."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses as host:port, `serve` and `intake` as URLs; empty where nothing is known."""

    kafka: str = ""
    clickhouse: str = ""
    serve: str = ""
    intake: str = ""


def path(settings: Settings) -> Path:
    """The file in which a running installation notes its addresses."""
    return settings.home / "run" / "endpoints.json"


def note(settings: Settings, endpoints: Endpoints) -> None:
    """Write the addresses down for other commands, atomically."""
    target = path(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(endpoints)))
    fresh.replace(target)


def known(settings: Settings) -> Endpoints:
    """What is known, with the settings' own addresses before the noted ones."""
    try:
        noted = Endpoints(**json.loads(path(settings).read_text()))
    except FileNotFoundError:
        noted = Endpoints()
    return replace(
        noted,
        kafka=settings.kafka_bootstrap or noted.kafka,
        clickhouse=settings.clickhouse_address or noted.clickhouse,
    )


def kafka(settings: Settings) -> str:
    """Kafka's host:port. Raises NotRunning."""
    return _required(known(settings).kafka, "Kafka", "TOUCHSTREAM_KAFKA_BOOTSTRAP")


def clickhouse(settings: Settings) -> tuple[str, int]:
    """ClickHouse's host and port. Raises NotRunning."""
    host, _, port = _required(known(settings).clickhouse, "ClickHouse", "TOUCHSTREAM_CLICKHOUSE_ADDRESS").rpartition(
        ":"
    )
    return host, int(port)


def _required(address: str, what: str, setting: str) -> str:
    if not address:
        raise NotRunning(f"no {what} is known: start one with `touchstream up`, or name yours in {setting}")
    return address
