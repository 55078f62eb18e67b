"""What is late, by channel; it is counted and taken."""

import pytest

from pipeline.events import Out
from schemas.lateness import is_late, usual_ms
from schemas.registry import load
from tests.harness.touchpoints import NOW, raw, resolve_fold, touchpoint, wire

MINUTE = 60_000
HOUR = 60 * MINUTE
USUAL = [("web", 10 * MINUTE), ("call", HOUR), ("app", 72 * HOUR), ("email", 72 * HOUR), ("letter", 14 * 24 * HOUR)]


def test_every_channel_has_its_time() -> None:
    """Also one that a later version adds."""
    (channel,) = (field["type"] for field in load("touchpoint")["fields"] if field["name"] == "channel")
    assert set(usual_ms()) == set(channel["symbols"])
    assert all(value > 0 for value in usual_ms().values())


@pytest.mark.parametrize(("channel", "usual"), USUAL)
@pytest.mark.parametrize("duration", [None, 0, 25 * MINUTE])
def test_it_is_late_beyond_its_channels_time_after_its_end(channel: str, usual: int, duration: int | None) -> None:
    """A millisecond decides."""
    took = duration or 0
    record = touchpoint(channel=channel, occurred_at=NOW - usual - took, duration_ms=duration)
    assert not is_late(record, NOW)
    assert is_late(record, NOW + 1)


def test_late_ones_are_counted_by_channel_and_taken() -> None:
    """Once: a duplicate is not counted again, nor what is rejected."""
    ages = {"a": ("web", HOUR), "b": ("app", HOUR), "c": ("call", 2 * HOUR), "d": ("web", MINUTE)}
    values = [
        wire(touchpoint(event_id=name, channel=channel, occurred_at=NOW - age)) for name, (channel, age) in ages.items()
    ]
    fold = resolve_fold()
    outs: list[Out] = fold.fold([raw(value, n) for n, value in enumerate([*values, values[0], b"junk"])])
    assert fold.late == {"web": 1, "call": 1}
    assert fold.counts["admitted"] == 4
    assert len(outs) == 5
