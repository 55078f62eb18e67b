"""Room for bodies: as many as fit together, and one alone however large."""

import pytest

from pipeline.intake.requests import Refusal
from pipeline.intake.room import Room


def test_bodies_fit_together_up_to_a_bound() -> None:
    """Who does not fit is told to come back, and does once another has gone."""
    room = Room(100)
    with room.of(60):
        with room.of(40):
            with pytest.raises(Refusal) as refusal, room.of(1):
                pass
            assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_s) == (503, "busy", 1)
        with room.of(40):
            assert room.taken == 100
    assert room.taken == 0


def test_one_larger_body_is_alone() -> None:
    """It is judged, and nothing beside it."""
    room = Room(100)
    with room.of(500), pytest.raises(Refusal), room.of(1):
        pass
    assert room.taken == 0


def test_room_is_given_back_when_something_fails() -> None:
    """Whatever it is."""
    room = Room(100)
    with pytest.raises(ValueError, match="x"), room.of(60):
        raise ValueError("x")
    assert room.taken == 0
