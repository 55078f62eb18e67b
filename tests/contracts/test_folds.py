"""What every stage's fold promises to the shell that runs it."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.events import Out, Raw
from processors import cell as cells
from processors.poison import FROM, Poisoned
from processors.resolve import Admitted, ResolvedWriter
from processors.stage import Fold
from tests.harness.touchpoints import (
    HOUR,
    NOW,
    Owner,
    held,
    histories,
    journey_fold,
    raw,
    records_of,
    resolve_fold,
    resolved,
    touchpoint,
    wire,
)

Changelog = dict[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Role:
    """A fold, what it is fed, and what its consumers hold after it."""

    name: str
    new: Callable[[], Fold]
    batches: st.SearchStrategy[list[Raw]]
    picture: Callable[[list[Out]], Any]


@st.composite
def raw_batches(draw: st.DrawFn) -> list[Raw]:
    """Touchpoints with duplicates and bytes that are none, over some hours of arrival."""
    values = [wire(record) for record in draw(histories(most=10))]
    values += draw(st.lists(st.sampled_from(values) | st.binary(max_size=6), max_size=6))
    hours = draw(st.lists(st.integers(0, 20), min_size=len(values), max_size=len(values)))
    return [raw(value, n, NOW + HOUR * sum(hours[: n + 1])) for n, value in enumerate(values)]


@st.composite
def resolved_batches(draw: st.DrawFn) -> list[Raw]:
    """Touchpoints of two persons, one of them with two cells."""
    owners = [Owner("p_1", "customer:1"), Owner("p_1", "email:1"), Owner("p_2", "customer:2")]
    return [resolved(record, n, draw(st.sampled_from(owners))) for n, record in enumerate(draw(histories(most=10)))]


def _as_is(outs: list[Out]) -> list[Out]:
    return outs


def _held(outs: list[Out]) -> Any:
    return held(records_of(outs))


ROLES = (Role("resolve", resolve_fold, raw_batches(), _as_is), Role("journey", journey_fold, resolved_batches(), _held))
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def taken_back(role: Role, changelog: Changelog) -> Fold:
    """A new fold with the state of a changelog."""
    fold = role.new()
    for key, value in changelog.items():
        fold.restore(key, value)
    fold.restored()
    return fold


@every_role
@given(data=st.data())
def test_the_same_input_gives_the_same_output(role: Role, data: st.DataObject) -> None:
    """Record for record and byte for byte, and the input stays as it is."""
    batch = data.draw(role.batches)
    before = copy.deepcopy(batch)
    one, other = role.new(), role.new()
    assert one.fold(batch) == other.fold(batch)
    assert one.changes() == other.changes()
    assert batch == before


@every_role
@given(data=st.data(), cut=st.integers(0, 20))
def test_state_survives_the_changelog(role: Role, data: st.DataObject, cut: int) -> None:
    """One that was restored goes on as the one that was not, also from a changelog in another order."""
    batch = data.draw(role.batches)
    fold = role.new()
    fold.fold(batch[:cut])
    changes = fold.changes()
    again = taken_back(role, dict(data.draw(st.permutations(changes))))
    assert (len(again), again.size) == (len(fold), fold.size)
    assert again.fold(batch[cut:]) == fold.fold(batch[cut:])
    assert sorted(again.changes()) == sorted(fold.changes())
    assert again.size == fold.size


@every_role
@given(data=st.data(), cut=st.integers(0, 20))
def test_where_a_batch_ends_does_not_matter(role: Role, data: st.DataObject, cut: int) -> None:
    """Neither to the state nor to a consumer."""
    batch = data.draw(role.batches)
    whole, parts = role.new(), role.new()
    outs = whole.fold(batch)
    changelog: Changelog = dict(whole.changes())
    split = parts.fold(batch[:cut])
    collected: Changelog = dict(parts.changes())
    split += parts.fold(batch[cut:])
    collected |= dict(parts.changes())
    assert {k: v for k, v in collected.items() if v} == {k: v for k, v in changelog.items() if v}
    assert role.picture(split) == role.picture(outs)


@every_role
def test_an_empty_batch_changes_nothing(role: Role) -> None:
    """Nothing out, nothing for the changelog."""
    fold = role.new()
    assert fold.fold([]) == []
    assert fold.changes() == []
    assert (len(fold), fold.size) == (0, 0)


@every_role
@given(data=st.data())
def test_changes_are_told_once(role: Role, data: st.DataObject) -> None:
    """Each since the last call, and each key once."""
    fold = role.new()
    fold.fold(data.draw(role.batches))
    changes = fold.changes()
    assert len({key for key, _ in changes}) == len(changes)
    assert not any(key.startswith(b"\0") for key, _ in changes), "the marker's keys begin so"
    assert fold.changes() == []


@every_role
@given(data=st.data())
def test_what_the_changelog_forgets_is_forgotten(role: Role, data: st.DataObject) -> None:
    """Tombstones take everything away."""
    fold = role.new()
    fold.fold(data.draw(role.batches))
    empty = role.new()
    for key, value in fold.changes():
        empty.restore(key, value)
        empty.restore(key, None)
    empty.restored()
    assert (len(empty), empty.size) == (0, 0)


@given(batch=resolved_batches(), begin=st.integers(0, 10))
def test_what_was_applied_is_not_applied_again(batch: list[Raw], begin: int) -> None:
    """The journey stage knows from each person's last offset; the resolve stage knows event ids, see below."""
    fold = journey_fold()
    outs = fold.fold(batch)
    changes = dict(fold.changes())
    repeated = fold.fold(batch[begin:])
    assert changes | dict(fold.changes()) == changes
    assert _held(outs + repeated) == _held(outs)


@given(batch=raw_batches())
def test_a_touchpoint_that_comes_again_within_the_horizon_is_told_once(batch: list[Raw]) -> None:
    """Only rejections are told again, at their new offset."""
    fold = resolve_fold(horizon_h=100_000)
    fold.fold(batch)
    known = len(fold)
    fold.changes()
    again = fold.fold(batch)
    assert {out.topic for out in again} <= {"rejected.v1"}
    assert fold.changes() == []
    assert len(fold) == known


def headers(out: Out) -> dict[str, str]:
    return {name: value.decode() for name, value in out.headers}


def test_a_resolved_record_that_cannot_be_read_costs_only_itself() -> None:
    """It is put aside with its bytes and its place; its neighbours are told as if it had not been there."""
    good = [resolved(touchpoint(event_id=f"e{n}"), n, Owner("p_1", "customer:1")) for n in (6, 8)]
    bad = raw(b"Zuckerwatte", 7, place=("cx.t", 3))
    outs = journey_fold().fold([good[0], bad, good[1]])
    rejected = [out for out in outs if out.topic == "rejected.v1"]
    assert [(out.value, headers(out)["cx.reason"], headers(out)["__connect.errors.stage"]) for out in rejected] == [
        (b"Zuckerwatte", "magic", "journey")
    ]
    assert headers(rejected[0])["__connect.errors.offset"] == "7"
    assert [out for out in outs if out.topic != "rejected.v1"] == journey_fold().fold(good)


def test_a_touchpoint_on_which_the_fold_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is in the midst of its person's own."""
    real = cells.add

    def add(cell: Any, touch: Any, policy: Any) -> None:
        if touch.event_id == "e7":
            raise KeyError("a fault of ours")
        real(cell, touch, policy)

    owner = Owner("p_1", "customer:1")
    touchpoints = [resolved(touchpoint(event_id=f"e{n}"), n, owner) for n in range(5, 10)]
    expected = journey_fold().fold([one for one in touchpoints if one.origin.offset != 7])
    monkeypatch.setattr(cells, "add", add)
    fold = journey_fold()
    outs = fold.fold(touchpoints)
    assert [out for out in outs if out.topic != "rejected.v1"] == expected
    assert [headers(out)["cx.reason"] for out in outs if out.topic == "rejected.v1"] == ["processing_failed"]
    assert fold.fold(touchpoints) == []


def test_a_record_on_which_judging_fails_costs_only_itself_and_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it is judged anew when it is sent again."""
    real = ResolvedWriter.write_all

    def write_all(self: ResolvedWriter, admitted: Sequence[tuple[bytes, Admitted]]) -> list[bytes]:
        if any(one.record["event_id"] == "e1" for _, one in admitted):
            raise TypeError("a fault of ours")
        return real(self, admitted)

    batch = [raw(wire(touchpoint(event_id=f"e{n}")), n) for n in range(3)]
    fold = resolve_fold()
    monkeypatch.setattr(ResolvedWriter, "write_all", write_all)
    outs = fold.fold(batch)
    assert [out.topic for out in outs] == ["touchpoints.resolved.v1", "rejected.v1", "touchpoints.resolved.v1"]
    assert headers(outs[1])["cx.reason"] == "processing_failed"
    monkeypatch.undo()
    assert [out.topic for out in fold.fold(batch)] == ["touchpoints.resolved.v1"]


def test_a_fold_that_fails_on_everything_stops() -> None:
    """Draining a fault of ours into the rejected records would hide it."""
    with pytest.raises(Poisoned):
        journey_fold().fold([raw(b"Zuckerwatte", n) for n in range(FROM)])
    assert len(journey_fold().fold([raw(b"Zuckerwatte", n) for n in range(FROM - 1)])) == FROM - 1
