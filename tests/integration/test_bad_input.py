"""Broken records between good ones: each is rejected with its reason and its own bytes, and nothing stops."""

import random
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline.codec import head
from pipeline.events import Amount, Answer, Identifier
from pipeline.events import Reason as R
from tests.harness.installation import Installation
from tests.harness.records import encoded, written
from tests.harness.waiting import until

TOPIC = "touchpoints.web.v1"
YEAR_3000_MS = 32_503_680_000_000
HUGE = 2**63 - 1


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(name: str, person: str = "bad", **fields: Any) -> bytes:
    return encoded(name, fields.pop("occurred_at", now_ms()), person, **fields)


def nps(value: int) -> Answer:
    return Answer("recommend", "nps", 0, 10, value)


def good(name: str) -> bytes:
    return event(name)


CASES: dict[str, tuple[Callable[[str], bytes | None], R, str]] = {
    "no such bytes": (lambda _: head(1) + b"\xff" * 12, R.DECODE, ""),
    "text that is no UTF-8": (
        lambda n: good(n).replace(b"page_viewed", b"page\xff\xfe\xfd\xfc\xfb\xfawed"),
        R.DECODE,
        "",
    ),
    "cut off": (lambda n: good(n)[:-3], R.DECODE, ""),
    "too long": (lambda n: good(n) + b"more", R.TRAILING_BYTES, ""),
    "JSON": (lambda _: b'{"event_type": "web.page_viewed"}', R.MAGIC, ""),
    "one byte": (lambda _: b"\0", R.MAGIC, ""),
    "empty": (lambda _: b"", R.EMPTY, ""),
    "tombstone": (lambda _: None, R.EMPTY, ""),
    "unknown schema": (lambda _: head(2**31 - 1) + b"\x02a", R.SCHEMA_UNKNOWN, ""),
    "another record": (lambda _: head(3) + b"\x02a", R.SCHEMA_UNSUITABLE, ""),
    "no event id": (lambda _: event(""), R.EVENT_ID_MISSING, "event_id"),
    "no source": (lambda n: event(n, source=""), R.SOURCE_MISSING, "source"),
    "odd event type": (lambda n: event(n, event_type="Page viewed"), R.EVENT_TYPE_MALFORMED, "event_type"),
    "no identifier": (lambda n: event(n, identifiers=[]), R.IDENTIFIER_MISSING, "identifiers"),
    "no address": (
        lambda n: event(n, identifiers=[Identifier("customer", "c"), Identifier("email", "none")]),
        R.IDENTIFIER_MALFORMED,
        "identifiers[1]",
    ),
    "1970": (lambda n: event(n, occurred_at=86_400_000), R.TIME_TOO_EARLY, "occurred_at"),
    "before time": (lambda n: event(n, occurred_at=-HUGE), R.TIME_TOO_EARLY, "occurred_at"),
    "year 3000": (lambda n: event(n, occurred_at=YEAR_3000_MS), R.TIME_IN_FUTURE, "occurred_at"),
    "NPS of 11": (lambda n: event(n, answer=nps(11)), R.VALUE_OUT_OF_SCALE, "answer.value"),
    "NPS from 1 to 5": (lambda n: event(n, answer=Answer("q", "nps", 1, 5, 3)), R.SCALE_INVALID, "answer.scale_max"),
    "endless scale": (
        lambda n: event(n, answer=Answer("q", "own", -(2**31), 2**31 - 1, 2**31 - 1)),
        R.SCALE_INVALID,
        "answer.scale_max",
    ),
    "no currency": (lambda n: event(n, amount=Amount("dollars", 1)), R.AMOUNT_MALFORMED, "amount.currency"),
    "all the money": (lambda n: event(n, amount=Amount("EUR", HUGE)), R.AMOUNT_MALFORMED, "amount.minor_units"),
    "negative duration": (lambda n: event(n, duration_ms=-1), R.DURATION_NEGATIVE, "duration_ms"),
}
ODD_BUT_GOOD: dict[str, Callable[[str], bytes]] = {
    "times without bounds": lambda n: event(n, sent_at=HUGE, received_at=-HUGE),
    "zero bytes": lambda n: event(n, text="\0", attributes={"": "", "\0": "\0"}, source="\0"),
    "longest duration": lambda n: event(n, duration_ms=HUGE, source_sequence=-HUGE),
    "all planes": lambda n: event(n, text="ñ 語 \U0010ffff ￿", campaign="'; DROP TABLE touchpoints; --"),
    "most money": lambda n: event(n, amount=Amount("IRR", -(10**13))),
    "widest scale": lambda n: event(n, answer=Answer("q", "own", -(10**6), 10**6, -(10**6))),
    "5 MB": lambda n: event(n, text=random.Random(1).randbytes(2_500_000).hex()),
}


class Written:
    """What was written, by name of the case, and where each record lies."""

    def __init__(self, installation: Installation) -> None:
        run = uuid4().hex
        bad = {name: make(f"bad-{run}-{n}") for n, (name, (make, _, _)) in enumerate(CASES.items())}
        self.odd_ids = {name: f"odd-{run}-{n}" for n, name in enumerate(ODD_BUT_GOOD)}
        odd = {name: make(self.odd_ids[name]) for name, make in ODD_BUT_GOOD.items()}
        self.neighbour_ids = {f"good-{run}-{n}" for n in range(len(bad) + len(odd))}
        mixed = [
            pair for one in zip((bad | odd).items(), sorted(self.neighbour_ids), strict=True) for pair in pairs(one)
        ]
        places = written(installation, TOPIC, [value for _, value in mixed])
        self.topic = installation.settings.topic_prefix + TOPIC
        self.bytes = bad
        self.places = {name: place for (name, _), place in zip(mixed, places, strict=True)}


def pairs(one: tuple[tuple[str, bytes | None], str]) -> list[tuple[str, bytes | None]]:
    (name, value), neighbour = one
    return [(name, value), (neighbour, good(neighbour))]


@pytest.fixture(scope="module")
def done(shared: Installation) -> Written:
    """Everything is written, and all of it has come through."""
    put = Written(shared)
    shared.wait_idle()
    return put


@pytest.mark.parametrize("name", CASES)
def test_a_broken_record_is_kept_with_its_reason(shared: Installation, done: Written, name: str) -> None:
    _, reason, field = CASES[name]
    partition, offset = done.places[name]
    rows = shared.query(
        """SELECT reason, field, hex(payload), stage, attempt, expected != '' FROM rejected FINAL
        WHERE source_topic = %(topic)s AND source_partition = %(partition)s AND source_offset = %(offset)s""",
        {"topic": done.topic, "partition": partition, "offset": offset},
    )
    assert rows == [(reason.value, field, (done.bytes[name] or b"").hex().upper(), "resolve", 1, 1)]


def test_the_neighbours_are_stored(shared: Installation, done: Written) -> None:
    wanted = done.neighbour_ids | set(done.odd_ids.values())
    stored = shared.query("SELECT event_id FROM touchpoints FINAL WHERE event_id IN %(ids)s", {"ids": tuple(wanted)})
    assert sorted(row[0] for row in stored) == sorted(wanted)


def test_odd_values_come_back_as_they_were(shared: Installation, done: Written) -> None:
    text, campaign = shared.query(
        "SELECT text, campaign FROM touchpoints FINAL WHERE event_id = %(id)s", {"id": done.odd_ids["all planes"]}
    )[0]
    assert (text, campaign) == ("ñ 語 \U0010ffff ￿", "'; DROP TABLE touchpoints; --")
    size = shared.query(
        "SELECT length(text) FROM touchpoints FINAL WHERE event_id = %(id)s", {"id": done.odd_ids["5 MB"]}
    )
    assert size == [(5_000_000,)]


def test_the_rejected_topic_can_be_read_by_tools_for_dead_letters(shared: Installation, done: Written) -> None:
    topic = shared.settings.topic_prefix + "rejected.v1"
    consumer = KafkaConsumer(bootstrap_servers=shared.bootstrap(), group_id=None, isolation_level="read_committed")
    tps = [TopicPartition(topic, p) for p in range(shared.settings.topic_partitions)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    found: dict[tuple[int, int], Any] = {}

    def all_there() -> bool:
        for records in consumer.poll(200).values():
            for record in records:
                headers = {name: value.decode() for name, value in record.headers}
                place = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
                if headers["__connect.errors.topic"] == done.topic:
                    found[place] = headers, record.value
        return all(done.places[name] in found for name in CASES)

    until(all_there, 60, "every rejected record")
    consumer.close()
    for name, (_, reason, field) in CASES.items():
        headers, value = found[done.places[name]]
        assert value == done.bytes[name]
        assert headers["__connect.errors.stage"] == "resolve"
        assert headers["__connect.errors.exception.class.name"] == headers["cx.reason"] == reason.value
        assert headers["__connect.errors.exception.message"]
        assert (headers["cx.field"], headers["cx.attempt"]) == (field, "1")
    assert found[done.places["unknown schema"]][0]["cx.schema_id"] == str(2**31 - 1)


def test_nothing_has_stopped_and_all_of_it_is_accounted_for(shared: Installation, done: Written) -> None:
    assert shared.told("reconcile")["unexplained"] == 0
    assert shared.told("recompute")["different"] == 0
    assert {one["restarts"] for one in shared.supervised().values()} == {0}
