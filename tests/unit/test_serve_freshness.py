"""What the board says about its own age."""

from zoneinfo import ZoneInfo

import pytest

from pipeline.serve.board.text import banner, pill
from pipeline.serve.freshness import Seen, State, judge

NOW = 1_760_000_000.0
UTC = ZoneInfo("UTC")


def seen(
    newest: float | None = 1,
    answered: float | None = 0.5,
    lag: dict[str, int] | None = None,
    waited: float | None = None,
) -> Seen:
    """How many seconds before now each thing happened."""

    def ago(s: float | None) -> float | None:
        return None if s is None else NOW - s

    return Seen(NOW - 1000, ago(answered), ago(newest), lag, ago(waited))


@pytest.mark.parametrize(
    ("known", "state", "alarm"),
    [
        (seen(newest=0.8, answered=0.1), State.LIVE, False),
        (seen(newest=60, lag={"sink": 0}), State.QUIET, False),
        (seen(newest=7 * 86_400, lag={}), State.QUIET, False),
        (seen(newest=12, lag=None), State.WAITING, False),
        (seen(newest=45, lag=None), State.WAITING, True),
        (seen(newest=12, lag={"sink": 900}, waited=10), State.BEHIND, False),
        (seen(newest=90, lag={"sink": 900}, waited=80), State.BEHIND, True),
        (seen(newest=2, lag={"sink": 900}, waited=80), State.LIVE, False),
        (seen(newest=12, lag={"sink": 900}, waited=2), State.QUIET, False),
        (seen(newest=1, answered=6), State.STALE, False),
        (seen(newest=1, answered=31), State.STALE, True),
        (seen(newest=None), State.EMPTY, False),
        (seen(newest=None, answered=None), State.STALE, True),
    ],
)
def test_states(known: Seen, state: State, alarm: bool) -> None:
    found = judge(known, NOW)
    assert (found.state, found.alarm) == (state, alarm)
    said, _ = pill(found, UTC, NOW)
    assert said
    assert bool(banner(found, UTC, NOW)) is alarm


def test_a_board_that_has_just_started_waits_without_alarm() -> None:
    assert judge(Seen(NOW - 2), NOW).state == State.STARTING


def test_what_came_since_the_last_answer_is_not_held_against_the_sources() -> None:
    """Newest arrival 8 s ago, but ClickHouse last answered 4 s ago: then it was only 4 s old."""
    found = judge(seen(newest=8, answered=4), NOW)
    assert found.state == State.LIVE
    assert found.age_s == pytest.approx(8)


def test_the_words_name_the_stage_and_its_lag() -> None:
    found = judge(seen(newest=90, lag={"sink": 1204, "resolve": 0}, waited=80), NOW)
    assert "sink 1\u202f204" in banner(found, UTC, NOW)
    assert "resolve" not in banner(found, UTC, NOW)
    assert found.waiting == 1204


def test_quiet_names_the_last_touchpoint_by_the_clock() -> None:
    said, tone = pill(judge(seen(newest=60, lag={}), NOW), UTC, NOW)
    assert said == "quiet · last touchpoint 08:52:20"
    assert tone == "still"
