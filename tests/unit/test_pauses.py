"""How long a process that ended is left alone before it is started again."""

from pipeline.child import BACK_OFF_S, HOPELESS, pause_before_restart
from pipeline.cli import output


def test_pauses_grow_to_a_bound() -> None:
    """Never shorter than the one before, never longer than the last."""
    pauses = [pause_before_restart(restarts) for restarts in range(100)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (BACK_OFF_S[0], BACK_OFF_S[-1])
    assert set(pauses) == set(BACK_OFF_S)


def test_what_cannot_help_is_not_tried() -> None:
    """Wrong use and wrong settings stay wrong; trouble and faults may pass."""
    assert {output.EX_USAGE, output.EX_CONFIG} == HOPELESS
