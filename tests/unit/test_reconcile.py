"""Accounting: every record of a made-up log is named as what it is, and nothing else is."""

import pytest

from pipeline.codec import Decoder
from pipeline.events import Raw
from pipeline.reconcile import Account, Evidence, Place, reconcile, total
from tests.harness.touchpoints import HOUR, NOW, REGISTRY, SOURCE, raw, touchpoint, wire

DECODER = Decoder("touchpoint", REGISTRY)
OTHER = "cx.touchpoints.call.v1"


def log(*event_ids: str, place: tuple[str, int] = (SOURCE, 0), hour: int = 0) -> list[Raw]:
    """One record for each event id from offset 0 on; an empty id is a record that cannot be read."""
    values = [wire(touchpoint(event_id=event_id)) if event_id else b"junk" for event_id in event_ids]
    return [raw(value, n, NOW + hour * HOUR, place) for n, value in enumerate(values)]


def places(*offsets: int, topic: str = SOURCE, partition: int = 0) -> frozenset[Place]:
    """Offsets of one partition as the tables name them."""
    return frozenset((topic, partition, offset) for offset in offsets)


def only(accounts: list[Account]) -> Account:
    """The one account."""
    (account,) = accounts
    return account


def sums(account: Account) -> tuple[int, int, int, int, list[int]]:
    """What an account says."""
    return account.received, account.stored, account.rejected, account.duplicate, account.unexplained


def test_everything_explained() -> None:
    """Stored, rejected and duplicates, before and after the one that is stored."""
    records = log("a", "b", "", "a", "b")
    found = reconcile(records, Evidence(places(0, 4), places(2)), DECODER)
    assert sums(only(found)) == (5, 2, 1, 2, [])
    assert total(found)["unexplained"] == 0


@pytest.mark.parametrize(
    ("stored", "rejected", "unexplained"),
    [
        ((0, 1), (), [2]),
        ((0,), (2,), [1, 3]),
        ((1,), (2,), [0]),
        ((0, 1, 2), (2,), [2]),
        ((0, 1), (1, 2), [1, 3]),
        ((), (), [0, 1, 2, 3]),
    ],
)
def test_what_is_lost_or_told_twice_is_named(
    stored: tuple[int, ...], rejected: tuple[int, ...], unexplained: list[int]
) -> None:
    """Offsets 0 and 1 are two events, 2 cannot be read, 3 is offset 1 again."""
    found = reconcile(log("a", "b", "", "b"), Evidence(places(*stored), places(*rejected)), DECODER)
    account = only(found)
    assert sorted(account.unexplained) == unexplained
    assert account.received == account.stored + account.rejected + account.duplicate + len(unexplained)


def test_a_duplicate_of_a_lost_event_is_lost() -> None:
    """Nobody stored it, so nobody may call it a duplicate."""
    assert only(reconcile(log("a", "a"), Evidence(places(), places()), DECODER)).unexplained == [0, 1]


def test_a_duplicate_lies_in_the_same_partition() -> None:
    """The same event id elsewhere explains nothing: deduplication looks at one partition."""
    records = log("a") + log("a", place=(OTHER, 0)) + log("a", place=(SOURCE, 1))
    found = reconcile(records, Evidence(places(0), places()), DECODER)
    assert {(a.topic, a.partition): a.unexplained for a in found} == {
        (SOURCE, 0): [],
        (OTHER, 0): [0],
        (SOURCE, 1): [0],
    }


def test_places_of_other_records_explain_nothing() -> None:
    """Neither another topic's nor another partition's offsets."""
    evidence = Evidence(places(0, topic=OTHER) | places(0, partition=1), places(1, topic=OTHER))
    assert only(reconcile(log("a", ""), evidence, DECODER)).unexplained == [0, 1]


def test_hours_of_arrival_have_accounts_of_their_own() -> None:
    """In order, whatever the order of the records; a duplicate counts where it arrived."""
    late = [raw(wire(touchpoint(event_id="a")), 7, NOW + 3 * HOUR)]
    found = reconcile([*late, *log("a")], Evidence(places(0), places()), DECODER)
    assert [a.hour for a in found] == [NOW // HOUR, NOW // HOUR + 3]
    assert [sums(a) for a in found] == [(1, 1, 0, 0, []), (1, 0, 0, 1, [])]
    assert total(found) == {"received": 2, "stored": 1, "rejected": 0, "duplicate": 1, "erased": 0, "unexplained": 0}
