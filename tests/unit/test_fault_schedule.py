"""The schedule of faults: a function of the seed, every kind in turn, never two at once on one target."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.harness.chaos import Fault, Kind, schedule

SEEDS = st.integers(0, 10**6)


@given(seed=SEEDS, count=st.integers(1, 60))
def test_a_seed_repeats_its_faults(seed: int, count: int) -> None:
    assert schedule(seed, list(Kind), count, 60) == schedule(seed, list(Kind), count, 60)


@given(seed=SEEDS)
def test_every_kind_has_its_turn(seed: int) -> None:
    assert {fault.kind for fault in schedule(seed, list(Kind), len(Kind), 60)} == set(Kind)


@given(seed=SEEDS, count=st.integers(1, 60))
def test_two_faults_never_hit_one_target_at_once(seed: int, count: int) -> None:
    by_target: dict[str, list[Fault]] = {}
    for fault in schedule(seed, list(Kind), count, 60):
        by_target.setdefault(fault.target, []).append(fault)
    for faults in by_target.values():
        for one, next_one in itertools.pairwise(faults):
            assert one.at_s + one.lasts_s <= next_one.at_s + 0.01
