"""How many records are left to read, from what a consumer is given and what it is told of open transactions."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from pipeline import lag

TP = TopicPartition("touchpoints.web.v1", 0)


@dataclass
class Consumer:
    """Answers each poll with the next one of `answers`: None for silence, else offsets and how far transactions are decided."""

    answers: list[tuple[list[int], int] | None]
    at: int = 0
    stable: int | None = None
    asked: int = 0
    assigned: list[TopicPartition] = field(default_factory=list)

    def assign(self, tps: list[TopicPartition]) -> None:
        self.assigned = tps

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at = offset

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            return {}
        offsets, self.stable = answer
        self.at = offsets[-1] + 1 if offsets else self.at
        return {TP: [SimpleNamespace(offset=offset) for offset in offsets]} if offsets else {}

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        return self.stable


def left(consumer: Consumer, end: int) -> int:
    return asyncio.run(lag._look(consumer, [TP], {TP: 0}, {TP: end}))[TP]


def test_a_broker_that_takes_its_time_is_waited_for() -> None:
    """One that has just begun gives nothing at first; that is no sign that nothing is there."""
    assert left(Consumer([None, None, None, ([0, 1, 2], 3)]), 3) == 3


def test_what_an_open_transaction_holds_back_is_not_waited_for() -> None:
    consumer = Consumer([([0, 1], 2)])
    assert left(consumer, 5) == 2
    assert consumer.asked == 1
    assert left(Consumer([None, ([], 0)]), 5) == 0


def test_a_broker_that_stays_silent_is_no_lag_of_zero() -> None:
    with pytest.raises(KafkaTimeoutError):
        left(Consumer([]), 3)


@pytest.mark.parametrize(
    ("distances", "looked_at", "about"),
    [((0, 3), [1], [1]), ((1500, 600), [0, 1], []), ((2001, 5), [1], []), ((0, 0), [], [])],
    ids=["little", "much in all", "much in one", "nothing"],
)
def test_records_are_counted_where_markers_would_matter(
    distances: tuple[int, int], looked_at: list[int], about: list[int]
) -> None:
    """Where it need not be exact, only as long as there is little to read in all."""
    left = {TopicPartition("touchpoints.web.v1", number): distance for number, distance in enumerate(distances)}
    assert [tp.partition for tp in lag._near(left, exact=True)] == looked_at
    assert [tp.partition for tp in lag._near(left, exact=False)] == about
