"""The whole path with real data: every touchpoint arrives once, and what is made of them is what the data sets say."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sinks.rows import TABLES
from tests.harness.datasets import file_of, provide
from tests.harness.installation import Installation, Maker

pytestmark = pytest.mark.timeout(400)
ECOM, CDNOW, SESSIONS = 31_106, 69_659, 3_605


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation into which both data sets have been replayed."""
    maker = Maker(tmp_path_factory)
    installation = maker()
    provide(("ecom", "cdnow"), installation.home, tmp_path_factory)
    try:
        installation.up()
        for name, count in (("ecom", ECOM), ("cdnow", CDNOW)):
            summary = installation.told("replay", name)
            assert (summary["sent"], summary["acknowledged"], summary["rejected"]) == (count, count, 0)
        installation.wait_idle()
        yield installation
    finally:
        maker.end()


def labelled(path: Path) -> set[tuple[str, frozenset[int]]]:
    """The labelled sessions of the click data: the user, and the times of the session's clicks, milliseconds since epoch."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            moment = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            found[f"ecom-{row['user_id']}", row["session_id"]].add(int(moment.timestamp() * 1000))
    return {(user, frozenset(times)) for (user, _), times in found.items()}


def test_clicks_become_the_sessions_that_the_data_set_has_labelled(
    replayed: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert replayed.number("SELECT count() FROM touchpoints FINAL WHERE source = 'ecom'") == ECOM
    assert replayed.number("SELECT uniqExact(event_id) FROM touchpoints FINAL WHERE source = 'ecom'") == ECOM
    derived = replayed.query(
        """SELECT any(t.identifiers.value[1]), groupUniqArray(toUnixTimestamp64Milli(t.occurred_at)),
            uniqExact(t.attributes['session']), count() = any(s.touchpoints)
        FROM (SELECT * FROM sessions FINAL) AS s JOIN (SELECT * FROM touchpoints FINAL WHERE source = 'ecom') AS t
        ON s.person = t.person AND s.channel = t.channel
        WHERE t.occurred_at BETWEEN s.started_at AND s.ended_at GROUP BY s.session_id"""
    )
    assert len(derived) == SESSIONS
    assert all(labels == 1 and complete for _, _, labels, complete in derived)
    assert {(user, frozenset(times)) for user, times, _, _ in derived} == labelled(file_of("ecom", tmp_path_factory))


def test_purchases_keep_every_cent(replayed: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    totals: dict[str, int] = defaultdict(int)
    for line in file_of("cdnow", tmp_path_factory).read_text().splitlines()[1:]:
        customer, _, _, dollars = line.split()
        totals[f"cdnow-{customer}"] += int(Decimal(dollars) * 100)
    stored = replayed.query(
        """SELECT identifiers.value[1], sum(amount_minor_units), count(), uniqExact(person)
        FROM touchpoints FINAL WHERE source = 'cdnow' GROUP BY 1"""
    )
    assert {name: cents for name, cents, _, _ in stored} == totals
    assert sum(count for _, _, count, _ in stored) == CDNOW
    assert {persons for _, _, _, persons in stored} == {1}
    kept = replayed.query(
        """SELECT count(), sum(amounts.minor_units[1]), sum(amounts.payments[1]), uniqExact(amounts.currency)
        FROM customers FINAL WHERE notEmpty(amounts.currency)"""
    )
    assert kept == [(23_570, sum(totals.values()), CDNOW, 1)]


def fingerprints(installation: Installation) -> dict[str, tuple[int, int]]:
    """Of every table how many rows it has, and a sum over the hashes of all of them."""
    return {
        table.name: (
            installation.number(f"SELECT count() FROM {table.name} FINAL"),
            installation.number(f"SELECT sum(cityHash64(toString(tuple(*)))) FROM {table.name} FINAL"),
        )
        for table in TABLES.values()
    } | {"arrivals": (0, installation.number("SELECT sum(touchpoints) FROM arrivals"))}


def test_a_second_replay_changes_nothing(replayed: Installation) -> None:
    before = fingerprints(replayed)
    assert before["arrivals"] == (0, ECOM + CDNOW)
    for name in ("ecom", "cdnow"):
        replayed.told("replay", name)
    accounts = replayed.told("reconcile")
    assert fingerprints(replayed) == before
    expected = {"stored": ECOM + CDNOW, "duplicate": ECOM + CDNOW, "rejected": 0, "erased": 0, "unexplained": 0}
    assert {name: accounts[name] for name in expected} == expected


def test_the_batch_gives_the_same_answer(replayed: Installation) -> None:
    found = replayed.told("recompute")
    assert found["different"] == 0
    assert {t["table"]: t["found"] for t in found["tables"]} == {
        table.name: replayed.number(f"SELECT count() FROM {table.name} FINAL") for table in TABLES.values()
    }


def test_a_customer_is_shown_with_what_the_file_says(replayed: Installation) -> None:
    found = replayed.told("customer", "customer:cdnow-00001")
    assert found["amounts"][0]["currency"] == "USD"
    assert (found["amounts"][0]["minor_units"], found["amounts"][0]["payments"]) == (1177, 1)
