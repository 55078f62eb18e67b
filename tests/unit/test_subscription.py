"""What is mended of kafka-python."""

from types import SimpleNamespace

import pytest

from sinks.subscription import LEAST_WAIT_S, unhurry


@pytest.mark.parametrize(("due_s", "waits_s"), [(0.0, LEAST_WAIT_S), (-1.0, LEAST_WAIT_S), (2.5, 2.5)])
def test_a_poll_never_ends_at_once_because_a_heartbeat_is_due(due_s: float, waits_s: float) -> None:
    coordinator = SimpleNamespace(time_to_next_poll=lambda: due_s)
    unhurry(coordinator)
    assert coordinator.time_to_next_poll() == waits_s
