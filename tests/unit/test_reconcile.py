"""Accounting: every record of a made-up log is named as what it is, and nothing else is."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

import pytest

from pipeline.codec import Decoder
from pipeline.events import Raw
from pipeline.reconcile import REFUSED, REJECTED, STORED, Account, Reconciliation, Twin, total
from processors.rekey import Places
from processors.resolve import Admission
from tests.harness.touchpoints import HOUR, KEYRING, NOW, REGISTRY, SOURCE, admission, raw, touchpoint, wire

DECODER = Decoder("touchpoint", REGISTRY)
OTHER = "cx.touchpoints.call.v1"
HORIZON_H = 24
ANYWHERE = admission(HORIZON_H)
Place = tuple[str, int, int]


@dataclass(slots=True)
class Tables:
    """Evidence made up from the places of stored, rejected and refused records; `records` is the log that they are places of."""

    stored: frozenset[Place]
    rejected: frozenset[Place]
    refused: frozenset[Place]
    records: list[Raw]

    def fates(self, topic: str, partition: int, first: int, last: int) -> list[int]:
        """See Evidence."""
        found = [(topic, partition, offset) for offset in range(first, last + 1)]
        sides = ((STORED, self.stored), (REJECTED, self.rejected), (REFUSED, self.refused))
        return [sum(fate for fate, side in sides if one in side) for one in found]

    def twins(self, topic: str, partition: int, event_ids: Collection[str]) -> dict[str, Twin]:
        """See Evidence."""
        found: dict[str, Twin] = {}
        for one in self.records:  # in order, so the newest stays
            record, at = DECODER.decode(one.value), one.origin
            here = (at.topic, at.partition) == (topic, partition) and (topic, partition, at.offset) in self.stored
            if here and isinstance(record, dict) and record["event_id"] in event_ids:
                found[record["event_id"]] = Twin(at.offset, at.arrived_at)
        return found


def reconcile(
    records: Iterable[Raw],
    stored: frozenset[Place],
    rejected: frozenset[Place] = frozenset(),
    size: int = 2,
    refused: frozenset[Place] = frozenset(),
    *,
    judging: Admission = ANYWHERE,
) -> list[Account]:
    """Accounts of a log that is taken in chunks of so many records."""
    in_order = sorted(records, key=lambda one: (one.origin.topic, one.origin.partition, one.origin.offset))
    reconciliation = Reconciliation(Tables(stored, rejected, refused, in_order), judging)
    for _, group in groupby(in_order, key=lambda one: (one.origin.topic, one.origin.partition)):
        members = list(group)
        for n in range(0, len(members), size):
            reconciliation.take(members[n : n + size])
    return reconciliation.accounts()


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


@pytest.mark.parametrize("size", [1, 2, 5])
def test_everything_explained(size: int) -> None:
    """Stored, rejected and duplicates, before and after the one that is stored."""
    records = log("a", "b", "", "a", "b")
    found = reconcile(records, places(0, 4), places(2), size)
    assert sums(only(found)) == (5, 2, 1, 2, [])
    assert total(found)["unexplained"] == 0


@pytest.mark.parametrize(
    ("stored", "rejected", "unexplained"),
    [
        ((0, 1), (), [2]),
        ((0,), (2,), [1, 3]),
        ((1,), (2,), [0]),
        ((0, 1, 2), (2,), [2]),
        ((0, 1), (1, 2), [1]),
        ((), (), [0, 1, 2, 3]),
    ],
)
def test_what_is_lost_or_told_twice_is_named(
    stored: tuple[int, ...], rejected: tuple[int, ...], unexplained: list[int]
) -> None:
    """Offsets 0 and 1 are two events, 2 cannot be read, 3 is offset 1 again."""
    found = reconcile(log("a", "b", "", "b"), places(*stored), places(*rejected))
    account = only(found)
    assert sorted(account.unexplained) == unexplained
    assert account.received == account.stored + account.rejected + account.duplicate + len(unexplained)


def test_what_was_sent_on_is_stored_where_it_belongs() -> None:
    """Twice sent on is twice received there; what never came to its own partition is unexplained."""
    where = Places("cx.", 2)
    home = where.home(KEYRING.cell("customer", "c-1"))
    away, here = 1 - home, home
    records = log("a", "a", "b", "c", place=(SOURCE, away)) + log("a", "a", "c", place=(SOURCE, here))
    found = reconcile(records, places(0, partition=here), size=3, judging=replace(ANYWHERE, places=where))
    by_partition = {account.partition: account for account in found}
    assert (by_partition[away].rekeyed, by_partition[away].unexplained) == (2, [2, 3])
    assert sums(by_partition[here]) == (3, 1, 0, 1, [2])
    assert total(found)["rekeyed"] == 2


@pytest.mark.parametrize("home", [0, 1])
def test_what_was_sent_on_and_refused_there_is_explained(home: int) -> None:
    """Whichever of the two partitions is accounted for first; one that a stage rejected there was not sent on from here."""
    partitions = next(n for n in range(2, 100) if Places("cx.", n).home(KEYRING.cell("customer", "c-1")) == home)
    away = 1 - home
    records = log("a", "", "b", "c", place=(SOURCE, away)) + log("a", "b", "d", place=(SOURCE, home))
    judging = replace(ANYWHERE, places=Places("cx.", partitions))
    found = reconcile(
        records,
        places(2, partition=home),
        places(1, partition=away) | places(1, partition=home),
        refused=places(0, partition=home),
        judging=judging,
    )
    by_partition = {account.partition: account for account in found}
    assert (by_partition[away].rekeyed, by_partition[away].unexplained) == (1, [2, 3])
    assert sums(by_partition[home]) == (3, 1, 2, 0, [])


def test_a_duplicate_of_a_lost_event_is_lost() -> None:
    """Nobody stored it, so nobody may call it a duplicate."""
    assert only(reconcile(log("a", "a"), places())).unexplained == [0, 1]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_duplicate_of_a_refused_row_is_one(size: int) -> None:
    """The stage knew it, whatever ClickHouse made of its row; one that came before is none, nor one of a rejected record."""
    records = log("a", "b", "a", "a", "", "c", "c")
    found = reconcile(records, places(1), places(4, 5), size, refused=places(2))
    assert sums(only(found)) == (7, 1, 3, 1, [0, 6])


def test_what_is_stored_and_refused_is_unexplained() -> None:
    """Both cannot be true."""
    assert only(reconcile(log("a"), places(0), refused=places(0))).unexplained == [0]


def test_a_duplicate_lies_in_the_same_partition() -> None:
    """The same event id elsewhere explains nothing: deduplication looks at one partition."""
    records = log("a") + log("a", place=(OTHER, 0)) + log("a", place=(SOURCE, 1))
    found = reconcile(records, places(0))
    assert {(a.topic, a.partition): a.unexplained for a in found} == {
        (SOURCE, 0): [],
        (OTHER, 0): [0],
        (SOURCE, 1): [0],
    }


def test_places_of_other_records_explain_nothing() -> None:
    """Neither another topic's nor another partition's offsets."""
    stored, rejected = places(0, topic=OTHER) | places(0, partition=1), places(1, topic=OTHER)
    assert only(reconcile(log("a", ""), stored, rejected)).unexplained == [0, 1]


def test_hours_of_arrival_have_accounts_of_their_own() -> None:
    """In order, whatever the order of the records; a duplicate counts where it arrived."""
    late = [raw(wire(touchpoint(event_id="a")), 7, NOW + 3 * HOUR)]
    found = reconcile([*late, *log("a")], places(0))
    assert [a.hour for a in found] == [NOW // HOUR, NOW // HOUR + 3]
    assert [sums(a) for a in found] == [(1, 1, 0, 0, []), (1, 0, 0, 1, [])]
    sums_of_all = {"received": 2, "stored": 1, "rejected": 0, "duplicate": 1, "rekeyed": 0, "erased": 0}
    assert total(found) == {**sums_of_all, "beyond_horizon": 0, "unexplained": 0}


def arrivals(*hours: int) -> list[Raw]:
    """One event that arrives in these hours, at offsets from 0 on."""
    return [raw(wire(touchpoint(event_id="a")), n, NOW + hour * HOUR) for n, hour in enumerate(hours)]


@pytest.mark.parametrize(
    ("hours", "stored", "beyond"),
    [
        ((0, 24), 0, 0),
        ((0, 25), 1, 1),
        ((0, 20, 30), 2, 1),
        ((0, 20, 30, 31), 2, 1),
        ((0, 30, 60), 2, 2),
        ((0, 1, 30, 31, 60, 61), 4, 2),
    ],
)
def test_duplicates_beyond_the_horizon_are_told_from_the_others(
    hours: tuple[int, ...], stored: int, beyond: int
) -> None:
    """The stage takes what comes again after more than 24 hours for new, and the newest of these is the row that stays."""
    whole = total(reconcile(arrivals(*hours), places(stored)))
    assert (whole["stored"], whole["duplicate"], whole["beyond_horizon"]) == (1, len(hours) - 1, beyond)
    assert whole["unexplained"] == 0


def test_a_refused_row_is_known_as_long_as_any_other() -> None:
    """What comes again after more than 24 hours is new, so that it is missing is no duplicate's matter."""
    account, *later = reconcile(arrivals(0, 24, 25), places(), refused=places(0))
    assert sums(account) == (1, 0, 1, 0, [])
    assert [sums(one) for one in later] == [(1, 0, 0, 1, []), (1, 0, 0, 0, [2])]


def test_a_refused_row_that_came_again_as_new_is_not_counted_twice() -> None:
    """The one between is the duplicate of the refused row, and not a row that the last one has replaced."""
    whole = total(reconcile(arrivals(0, 1, 30), places(2), refused=places(0)))
    assert (whole["stored"], whole["rejected"], whole["duplicate"]) == (1, 1, 1)
    assert (whole["beyond_horizon"], whole["unexplained"]) == (0, 0)
