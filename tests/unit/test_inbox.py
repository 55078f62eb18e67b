"""When a lane's next transaction begins, and what it takes. Nothing here waits for time to pass: intervals are hours or none."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from pipeline.events import Origin, Raw
from processors.inbox import QUEUED_BATCHES, Inbox, Pace
from processors.transport import Batch

HOURS = Pace(7200.0, 10)


def batch(records: int) -> Batch:
    return Batch(1, 0, [Raw(Origin("t", 0, offset, 0), None, b"") for offset in range(records)])


async def idle(task: "asyncio.Task[Any]") -> bool:
    """It does not end by what has happened so far."""
    for _ in range(20):
        await asyncio.sleep(0)
    return not task.done()


def counts(items: list[tuple[str, Batch]]) -> list[tuple[str, int]]:
    return [(topic, len(one.records)) for topic, one in items]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def test_the_first_begins_at_once_the_next_when_it_has_enough() -> None:
    async def test() -> None:
        inbox = Inbox(HOURS)
        await inbox.put("a", batch(1))
        assert counts(await inbox.take()) == [("a", 1)]
        waiting = asyncio.create_task(inbox.take())
        for records in (4, 5):
            await inbox.put("b", batch(records))
            assert await idle(waiting)
        await inbox.put("a", batch(1))
        assert counts(await waiting) == [("b", 4), ("b", 5), ("a", 1)]

    run(test())


def test_what_is_fetched_at_once_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.inbox.TOGETHER_S", HOURS.interval_s)

    async def test() -> None:
        inbox = Inbox(Pace(HOURS.interval_s, 3))
        taking = asyncio.create_task(inbox.take())
        for topic in ("a", "b"):
            await inbox.put(topic, batch(1))
            assert await idle(taking)
        await inbox.put("c", batch(1))
        assert counts(await taking) == [("a", 1), ("b", 1), ("c", 1)]

    run(test())


def test_without_an_interval_it_takes_what_is_there() -> None:
    async def test() -> None:
        inbox = Inbox(Pace(0.0, 10))
        for number in range(QUEUED_BATCHES):
            await inbox.put(str(number), batch(1))
        assert counts(await inbox.take()) == [(str(number), 1) for number in range(QUEUED_BATCHES)]
        waiting = asyncio.create_task(inbox.take())
        assert await idle(waiting)
        await inbox.put("late", batch(1))
        assert counts(await waiting) == [("late", 1)]

    run(test())


@pytest.mark.parametrize(
    ("took_s", "apart_s"),
    [(0.0, 0.3), (0.03, 0.3), (0.06, 0.6), (0.09, 0.9), (5.0, 0.9)],
    ids=["at least", "still", "more", "most", "never more"],
)
def test_transactions_that_take_long_lie_farther_apart(took_s: float, apart_s: float) -> None:
    assert Pace(0.3, 1, 0.9).apart_s(took_s) == pytest.approx(apart_s)
    assert Pace(0.3, 1).apart_s(took_s) == 0.3


def test_it_holds_few_batches_while_nothing_is_taken() -> None:
    async def test() -> None:
        inbox = Inbox(HOURS)
        for _ in range(QUEUED_BATCHES):
            await inbox.put("a", batch(1))
        more = asyncio.create_task(inbox.put("b", batch(1)))
        assert await idle(more)
        await inbox.take()
        await more

    run(test())


@pytest.mark.parametrize("held", [0, 1])
def test_closing_drops_what_waits_and_frees_who_waits(held: int) -> None:
    async def test() -> None:
        inbox = Inbox(HOURS)
        await inbox.put("a", batch(1))
        await inbox.take()
        taking = asyncio.create_task(inbox.take())
        for _ in range(held):
            await inbox.put("a", batch(1))
        assert await idle(taking)
        inbox.close()
        assert await taking == []
        await inbox.put("a", batch(1))
        assert inbox.closed
        full = Inbox(HOURS)
        for _ in range(QUEUED_BATCHES):
            await full.put("a", batch(1))
        putting = asyncio.create_task(full.put("a", batch(1)))
        assert await idle(putting)
        full.close()
        await putting
        assert await full.take() == []

    run(test())
