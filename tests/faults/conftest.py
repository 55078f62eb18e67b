"""Whole installations for the tests of this folder."""

from tests.harness.fixtures import make, shared

__all__ = ["make", "shared"]
