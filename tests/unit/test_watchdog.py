"""When a lane is stalled, and when it only looks so."""

from collections.abc import Iterable

from pipeline.watchdog import Lane, Look, Memory, Patience, Stalled, judge

PATIENCE = Patience(60)
IDLE, STUCK = Lane(0, (7,)), Lane(5, (7,))


def after(looks: Iterable[Look], patience: Patience = PATIENCE) -> Stalled | None:
    """The first verdict in a row of looks, or None."""
    memory = Memory()
    for look in looks:
        memory, stalled = judge(memory, look, patience)
        if stalled:
            return stalled
    return None


def every(step: float, upto: float, lane: Lane, excuse: str = "") -> list[Look]:
    """Looks at one lane that stays as it is."""
    return [Look(n * step, {"partition 0": lane}, 0, excuse) for n in range(int(upto / step) + 1)]


def test_a_lane_that_stands_still_with_work_waiting_is_stalled_after_the_time_and_not_before() -> None:
    assert after(every(5, 59, STUCK)) is None
    assert after(every(5, 60, STUCK)) == Stalled("partition 0", 5, 60.0)
    assert str(Stalled("partition 0", 5, 60.0)) == "partition 0 has made no progress for 60 s, with 5 records waiting"


def test_an_idle_lane_is_never_stalled() -> None:
    assert after(every(5, 600, IDLE)) is None


def test_standing_still_counts_from_the_moment_at_which_something_waits() -> None:
    idle = every(5, 300, IDLE)
    late = [Look(305 + 5 * n, {"partition 0": STUCK}) for n in range(12)]
    assert after([*idle, *late]) is None
    assert after([*idle, *late, Look(365, {"partition 0": STUCK})]) == Stalled("partition 0", 5, 60.0)


def test_progress_begins_the_count_anew() -> None:
    """A restore that reads on counts as progress like a committed offset does: both change what was reached."""
    looks = [Look(5.0 * n, {"partition 0": Lane(5, (7, n // 11))}) for n in range(200)]
    assert after(looks) is None


def test_no_time_counts_while_there_is_an_excuse() -> None:
    away = [Look(55.0 + 5 * n, {"partition 0": STUCK}, 0, "kafka is away") for n in range(100)]
    back = [Look(555.0 + 5 * n, {"partition 0": STUCK}) for n in range(11)]
    assert after([*every(5, 50, STUCK), *away, *back]) is None
    assert after([*away, *back, Look(610.0, {"partition 0": STUCK})]) == Stalled("partition 0", 5, 60.0)


def test_a_process_that_was_stopped_itself_is_given_its_time_again() -> None:
    looks = [*every(5, 50, STUCK), Look(500, {"partition 0": STUCK}), Look(505, {"partition 0": STUCK})]
    assert after(looks) is None


def test_a_lane_that_was_taken_away_and_came_back_begins_anew() -> None:
    looks = [*every(5, 55, STUCK), Look(60, {}), Look(65, {"partition 0": STUCK}), Look(70, {"partition 0": STUCK})]
    assert after(looks) is None


def test_one_lane_that_stands_still_among_others_that_move() -> None:
    looks = [Look(5.0 * n, {"a": STUCK, "b": Lane(9, (n,))}) for n in range(70)]
    assert after(looks) == Stalled("a", 5, 60.0)
    assert after(looks, Patience(60, among_others=5)) == Stalled("a", 5, 300.0)
    assert after(looks[:60], Patience(60, among_others=5)) is None


def test_steps_of_the_process_count_for_lanes_that_take_turns() -> None:
    looks = [Look(5.0 * n, {"a": STUCK}, steps=n) for n in range(70)]
    assert after(looks[:60], Patience(60, among_others=5)) is None
    still = [Look(200.0 + 5 * n, {"a": STUCK}, steps=40) for n in range(1, 20)]
    assert after([*looks[:41], *still], Patience(60, among_others=5)) == Stalled("a", 5, 260.0)


def test_the_lane_that_stands_still_longest_is_named() -> None:
    looks = [Look(5.0 * n, {"a": STUCK} if n < 2 else {"a": STUCK, "b": Lane(1, (0,))}) for n in range(20)]
    assert after(looks) == Stalled("a", 5, 60.0)
