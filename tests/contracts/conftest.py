"""The servers that the contracts of ClickHouse's protocol are run against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseOptions, EmbeddedClickHouse
from tests.harness.clickhouse import REAL_SERVER, Database, Server


@pytest.fixture(scope="session")
def embedded_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One embedded server for all tests of this process."""
    home: Path = tmp_path_factory.mktemp("clickhouse")
    with EmbeddedClickHouse(ClickHouseOptions(home)) as running:
        yield Server.at(running.address)


@pytest.fixture(params=["embedded", *(["real"] if REAL_SERVER else [])])
def clickhouse(request: pytest.FixtureRequest) -> Server:
    """The embedded server, and then the real one if there is one."""
    if request.param == "real":
        return Server.at(REAL_SERVER)
    server: Server = request.getfixturevalue("embedded_clickhouse")
    return server


@pytest.fixture
def database(clickhouse: Server) -> Iterator[Database]:
    """A database of the test's own."""
    with clickhouse.database() as made:
        yield made
