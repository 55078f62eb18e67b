"""The breaker: opens for systematic faults and for no others, tries a little, and closes when that is good."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.breaker import Bounds, Breaker

BOUNDS = Bounds(run=100, share=0.5, least=200, pause_s=30.0)


def test_a_run_of_rejects_opens_it() -> None:
    """However they are counted, as long as nothing good is among them."""
    breaker = Breaker(Bounds(run=100, pause_s=30.0))
    assert breaker.judged(0, 60, 0.0) is None
    assert breaker.judged(1, 60, 1.0) is None
    assert breaker.judged(0, 99, 2.0) is None
    assert breaker.judged(0, 1, 3.0) == "opened"
    assert breaker.is_open(3.0)
    assert breaker.is_open(32.9)
    assert breaker.wait_s(13.0) == pytest.approx(20.0)
    assert not breaker.is_open(33.0)
    assert breaker.tries(33.0)


def test_a_share_of_rejects_opens_it() -> None:
    """Once there are enough to say so."""
    breaker = Breaker(BOUNDS)
    for n in range(19):
        assert breaker.judged(5, 5, float(n)) is None
    assert breaker.judged(5, 5, 20.0) == "opened"
    never = Breaker(Bounds(run=0, share=0.0))
    assert never.judged(0, 10**6, 0.0) is None


def test_what_is_tried_decides() -> None:
    """Bad again: another pause. Good: all is taken, and what was is forgotten."""
    breaker = Breaker(BOUNDS)
    breaker.judged(0, 100, 0.0)
    assert breaker.judged(0, 0, 31.0) is None
    assert breaker.judged(1, 9, 31.0) is None
    assert breaker.is_open(60.0)
    assert breaker.judged(9, 1, 61.0) == "closed"
    assert not breaker.is_open(61.0)
    assert not breaker.tries(61.0)
    assert breaker.judged(0, 99, 62.0) is None


@given(turns=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=60))
def test_a_source_that_is_mostly_good_is_never_stopped(turns: list[tuple[int, int]]) -> None:
    """Whatever its number: with more good than bad ones at each turn neither bound is reached."""
    breaker = Breaker(BOUNDS)
    for n, (good, more) in enumerate(turns):
        assert breaker.judged(good + more + 1, good, float(n)) is None


def test_what_was_long_ago_counts_less() -> None:
    """A source that was good for ages is found out all the same."""
    breaker = Breaker(Bounds(run=0, share=0.5, least=200))
    breaker.judged(10**6, 0, 0.0)
    for n in range(40):
        breaker.judged(1, 0, float(n))
    turns = next(n for n in range(1000) if breaker.judged(10, 90, 50.0 + n) == "opened")
    assert turns < 100
