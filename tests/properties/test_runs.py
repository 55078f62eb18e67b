"""Runs against the plain way: sort all points and cut where the pause is too long."""

import copy

import hypothesis.strategies as st
from hypothesis import given

from processors.runs import Part, Run, forget, put, touch, union

POINTS = st.lists(st.tuples(st.integers(0, 100), st.sampled_from(("web", "call"))), max_size=40)
GAPS = st.integers(0, 12)
Point = tuple[int, str]


def made(points: list[Point], gap: int) -> list[Run]:
    """The runs of points put one after the other."""
    runs: list[Run] = []
    for at, channel in points:
        put(runs, Run(at, at, 1, {channel: Part(1, at)}), gap)
    return runs


def oracle(points: list[Point], gap: int) -> list[Run]:
    """The same from all points at once."""
    groups: list[list[Point]] = []
    for point in sorted(points):
        if groups and point[0] - groups[-1][-1][0] <= gap:
            groups[-1].append(point)
        else:
            groups.append([point])
    return [_run(group) for group in groups]


def _run(group: list[Point]) -> Run:
    by_channel: dict[str, list[int]] = {}
    for at, channel in group:
        by_channel.setdefault(channel, []).append(at)
    parts = {channel: Part(len(times), min(times)) for channel, times in by_channel.items()}
    return Run(group[0][0], group[-1][0], len(group), parts)


@given(POINTS, GAPS)
def test_any_order_gives_the_cuts_at_pauses(points: list[Point], gap: int) -> None:
    """A pause as long as the gap still joins."""
    assert made(points, gap) == oracle(points, gap)


@given(POINTS, GAPS)
def test_a_touch_is_a_run_of_one(points: list[Point], gap: int) -> None:
    """With channels and without."""
    by_channel: list[Run] = []
    bare: list[Run] = []
    for at, channel in points:
        touch(by_channel, at, gap, channel)
        touch(bare, at, gap)
    assert by_channel == oracle(points, gap)
    assert bare == [Run(run.start, run.end, run.touchpoints) for run in oracle(points, gap)]


@given(st.lists(POINTS, min_size=1, max_size=4), GAPS)
def test_the_union_of_lists_is_the_list_of_all_points(parts: list[list[Point]], gap: int) -> None:
    """And the lists stay as they are."""
    lists = [made(points, gap) for points in parts]
    before = copy.deepcopy(lists)
    assert union(lists, gap) == oracle([point for points in parts for point in points], gap)
    assert lists == before


@given(POINTS, GAPS, st.integers(-1, 101))
def test_forgetting_drops_what_ended_before(points: list[Point], gap: int, before: int) -> None:
    """And nothing else."""
    runs = made(points, gap)
    forget(runs, before)
    assert runs == [run for run in oracle(points, gap) if run.end >= before]
