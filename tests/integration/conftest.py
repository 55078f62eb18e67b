"""Whole installations for the tests of this folder, and a sink's topics and tables."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouse
from tests.harness.fixtures import make, shared
from tests.harness.installation import Installation
from tests.harness.sinks import Bench

__all__ = ["bench", "make", "shared"]


@pytest.fixture
def bench(shared: Installation) -> Iterator[Bench]:
    """Topics and tables of the test's own on the shared servers."""
    name = f"s{uuid4().hex}"
    settings = Installation(shared.home, {"topic_prefix": f"{name}.", "clickhouse_database": name}).settings
    yield Bench(settings).prepare()
    server = ClickHouse(settings, database="default")
    server.query(f"DROP DATABASE `{name}`")
    server.close()
