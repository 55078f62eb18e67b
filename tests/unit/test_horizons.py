"""Where the horizons lie, to the millisecond."""

import pytest

from processors import cell as cells
from processors.cell import Cell
from processors.journey import touch_of
from processors.person import Place, places, sessions
from processors.runs import Run
from tests.harness.touchpoints import NOW, SMALL_POLICY, touchpoint

GAP, HORIZON = SMALL_POLICY.gap("web"), SMALL_POLICY.horizon_ms
JOURNEY_GAP, JOURNEY_HORIZON = SMALL_POLICY.journey_gap_ms, SMALL_POLICY.journey_horizon_ms


def cell_of(*times: int, contact: str | None = None, forgetting: bool = False) -> Cell:
    """A cell with touchpoints so many milliseconds after now."""
    cell = Cell.empty()
    for at in times:
        cells.add(cell, touch_of(touchpoint(occurred_at=NOW + at, source_session=contact)), SMALL_POLICY)
        if forgetting:
            cells.forget(cell, SMALL_POLICY)
    return cell


def all_sessions(cell: Cell) -> list[tuple[Place, Run]]:
    """Every session, with its place."""
    return [(place, run) for place in places(cell) for run in sessions(cell, place)]


@pytest.mark.parametrize(("late", "counted"), [(HORIZON, 2), (HORIZON + 1, 1)])
def test_a_session_takes_what_is_no_older_than_its_horizon(late: int, counted: int) -> None:
    """Older ones count, but in no session."""
    cell = cell_of(0, -late)
    assert len(all_sessions(cell)) == counted
    assert cell.channels["web"].touchpoints == 2
    assert len(all_sessions(cell_of(0, -late, contact="s"))) == (1 if counted == 2 else counted)


@pytest.mark.parametrize(("late", "counted"), [(JOURNEY_HORIZON, 2), (JOURNEY_HORIZON + 1, 1)])
def test_a_journey_takes_what_is_no_older_than_its_horizon(late: int, counted: int) -> None:
    """Longer than a session's."""
    assert len(cell_of(0, -late).journeys) == counted


@pytest.mark.parametrize(("age", "kept"), [(HORIZON + GAP, 2), (HORIZON + GAP + 1, 1)])
def test_a_session_is_kept_while_something_can_join_it(age: int, kept: int) -> None:
    """A gap longer than the horizon."""
    assert len(cell_of(0, age, forgetting=True).channels["web"].sessions) == kept


@pytest.mark.parametrize(("age", "kept"), [(JOURNEY_HORIZON + JOURNEY_GAP, 2), (JOURNEY_HORIZON + JOURNEY_GAP + 1, 1)])
def test_a_journey_is_kept_while_something_can_join_it(age: int, kept: int) -> None:
    """The same with its own gap and horizon."""
    assert len(cell_of(0, age, forgetting=True).journeys) == kept


@pytest.mark.parametrize(("pause", "found"), [(HORIZON, 1), (HORIZON + 1, 2)])
def test_a_contact_that_is_silent_for_a_horizon_begins_anew(pause: int, found: int) -> None:
    """A source may use an id again."""
    assert len(all_sessions(cell_of(0, pause, contact="s"))) == found
    assert len(all_sessions(cell_of(0, pause, contact="s", forgetting=True))) == found


def test_contacts_are_forgotten_in_the_end() -> None:
    """With their names."""
    cell = cell_of(0, contact="s")
    cells.add(cell, touch_of(touchpoint(occurred_at=NOW + 2 * HORIZON + 1)), SMALL_POLICY)
    cells.forget(cell, SMALL_POLICY)
    assert cell.channels["web"].contacts == {}


@pytest.mark.parametrize("contact", [None, ""])
def test_an_empty_contact_is_none(contact: str | None) -> None:
    """The pause rule bounds such sessions: a source without ids of its own may send an empty text."""
    found = all_sessions(cell_of(0, GAP + 1, contact=contact))
    assert [contact for (_, contact), _ in found] == [None, None]
