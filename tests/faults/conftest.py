"""Whole installations and rigs for the tests of this folder."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.harness.fixtures import make, shared
from tests.harness.rig import Rig

__all__ = ["make", "shared"]


@pytest.fixture
def seed() -> int:
    """A new one each time, which is printed; TOUCHSTREAM_TEST_SEED repeats a run as far as a machine repeats itself."""
    chosen = int(os.environ.get("TOUCHSTREAM_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"TOUCHSTREAM_TEST_SEED={chosen}")
    return chosen


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A running pipeline whose processes and lines can be broken."""
    with Rig(tmp_path_factory.mktemp("rig")) as one:
        yield one
