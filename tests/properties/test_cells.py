"""A person is the sum of cells: any grouping of them says the same, and parting them again takes nothing away."""

from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from processors import cell as cells
from processors.cell import Cell
from processors.journey import touch_of
from processors.person import Outputs, Reading, Told, outputs
from processors.state import Person, pack, unpack
from tests.harness.touchpoints import SMALL_POLICY, Record, histories

NAMES = ("customer:1", "email:2", "cookie:3")


def cell_of(records: list[Record]) -> Cell:
    """A cell that has seen these touchpoints, in this order."""
    cell = Cell.empty()
    for record in records:
        cells.add(cell, touch_of(record), SMALL_POLICY)
    return cell


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[Record], list[list[Record]]]:
    """Touchpoints, and the same dealt out to cells, none of them empty."""
    records = draw(histories())
    owners = [draw(st.integers(0, len(NAMES) - 1)) for _ in records]
    parts = [[r for r, owner in zip(records, owners, strict=True) if owner == n] for n in range(len(NAMES))]
    return records, [part for part in parts if part]


def view(person: Cell) -> Outputs:
    """Everything that is told of it, as if nothing had been told before."""
    return outputs(Told("p_1", ["customer:1"], 1), person, Reading(None), SMALL_POLICY)


def in_any_order(value: Outputs) -> dict[str, list[str]]:
    """Comparable although scores come in the order in which scales were first seen."""
    return {kind: sorted(map(repr, records)) for kind, records in value.items()}


@given(grouped(), st.randoms(use_true_random=False))
def test_cells_add_up_to_one_that_saw_everything(both: tuple[list[Record], list[list[Record]]], random: Any) -> None:
    """State and view, in whatever order the touchpoints and the cells come."""
    records, parts = both
    whole = cell_of(records)
    for part in parts:
        random.shuffle(part)
    random.shuffle(parts)
    person = cells.union([cell_of(part) for part in parts], SMALL_POLICY)
    assert person == whole
    assert in_any_order(view(person)) == in_any_order(view(whole))


@given(grouped())
def test_grouping_is_associative_and_leaves_cells_alone(both: tuple[list[Record], list[list[Record]]]) -> None:
    """So a merge can be undone by grouping the cells as they were."""
    _, parts = both
    held = [cell_of(part) for part in parts]
    packed = [msgspec.msgpack.encode(cell) for cell in held]
    views = [view(cell) for cell in held]
    one_by_one = held[0]
    for cell in held[1:]:
        one_by_one = cells.union([one_by_one, cell], SMALL_POLICY)
    person = cells.union(held, SMALL_POLICY)
    view(person)
    assert one_by_one == person
    assert [msgspec.msgpack.encode(cell) for cell in held] == packed
    assert [view(cell) for cell in held] == views


@given(grouped(), st.integers(-1, 1 << 60))
def test_state_survives_packing(both: tuple[list[Record], list[list[Record]]], applied: int) -> None:
    """Value for value, and to the same bytes again."""
    _, parts = both
    person = Person(applied, dict(zip(NAMES, map(cell_of, parts), strict=False)))
    assert unpack(pack(person)) == person
    assert pack(unpack(pack(person))) == pack(person)


@given(grouped())
def test_counts_agree_with_the_touchpoints(both: tuple[list[Record], list[list[Record]]]) -> None:
    """The view's numbers against the plain sums."""
    records, parts = both
    person = cells.union([cell_of(part) for part in parts], SMALL_POLICY)
    (told,) = view(person)["customer_view"]
    assert told["touchpoints"] == sum(told["channels"].values()) == len(records)
    assert told["first_seen_at"] == min(r["occurred_at"] for r in records)
    assert told["last_seen_at"] == max(r["occurred_at"] for r in records)
    amounts = [r["amount"] for r in records if r["amount"]]
    for total in told["amounts"]:
        mine = [a["minor_units"] for a in amounts if a["currency"] == total["currency"]]
        assert (total["minor_units"], total["payments"]) == (sum(mine), len(mine))
    assert sum(total["payments"] for total in told["amounts"]) == len(amounts)
    answered = [r for r in records if r["answer"] and r["actor_type"] == "customer"]
    newest = max(answered, key=lambda r: (r["occurred_at"], r["event_id"]), default=None)
    assert [a["value"] for a in told["answers"]] == ([newest["answer"]["value"]] if newest else [])
    journeys = view(person)["journey"]
    assert sum(journey["touchpoints"] for journey in journeys) == len(records)
    assert sum(session["touchpoints"] for session in view(person)["session"]) == len(records)
