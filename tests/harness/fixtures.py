"""Whole installations, as fixtures."""

from collections.abc import Iterator

import pytest

from tests.harness.installation import Installation, Maker


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running installation for all tests of this process that leave it as it is."""
    installation = Installation(tmp_path_factory.mktemp("shared") / "home")
    try:
        yield installation.up()
    finally:
        installation.end()


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Makes installations of the test's own, which end with it."""
    maker = Maker(tmp_path_factory)
    yield maker
    maker.end()
