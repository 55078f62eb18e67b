"""Where servers listen: the settings first, then what a running installation noted."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import endpoints
from pipeline.config import Settings
from pipeline.endpoints import Endpoints, NotRunning


def settings_of(**chosen: Any) -> Settings:
    """Settings with these chosen."""
    return Settings(**chosen)


def test_nothing_known_says_what_to_do(tmp_path: Path) -> None:
    """Start one, or name yours."""
    settings = settings_of(home=tmp_path)
    assert endpoints.known(settings) == Endpoints()
    with pytest.raises(NotRunning, match=r"no Kafka is known: .*`touchstream up`.*TOUCHSTREAM_KAFKA_BOOTSTRAP"):
        endpoints.kafka(settings)
    with pytest.raises(NotRunning, match="no ClickHouse is known"):
        endpoints.clickhouse(settings)


def test_what_was_noted_is_known(tmp_path: Path) -> None:
    """The latest note, whole, with nothing left lying about."""
    settings = settings_of(home=tmp_path)
    endpoints.note(settings, Endpoints("127.0.0.1:1", "127.0.0.1:2"))
    noted = Endpoints("127.0.0.1:3", "127.0.0.1:4", "http://127.0.0.1:5")
    endpoints.note(settings, noted)
    assert endpoints.known(settings) == noted
    assert endpoints.kafka(settings) == "127.0.0.1:3"
    assert endpoints.clickhouse(settings) == ("127.0.0.1", 4)
    assert [path.name for path in endpoints.path(settings).parent.iterdir()] == ["endpoints.json"]


def test_the_settings_own_addresses_come_first(tmp_path: Path) -> None:
    """Also with IPv6."""
    settings = settings_of(home=tmp_path, kafka_bootstrap="kafka-1:9092,kafka-2:9092", clickhouse_address="[::1]:9000")
    endpoints.note(settings, Endpoints("127.0.0.1:1", "127.0.0.1:2"))
    assert endpoints.kafka(settings) == "kafka-1:9092,kafka-2:9092"
    assert endpoints.clickhouse(settings) == ("[::1]", 9000)
