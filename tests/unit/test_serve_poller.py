"""Polling: one question for all who watch, slower when nobody does, silent about nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline.serve.clickhouse import Unavailable
from pipeline.serve.metrics import Metrics
from pipeline.serve.poller import LONGEST_S, Pace, Poller


def counting(fail_at: int = -1) -> tuple[list[int], Callable[[], Awaitable[int]]]:
    asked: list[int] = []

    async def fetch() -> int:
        asked.append(len(asked))
        if len(asked) - 1 == fail_at:
            raise Unavailable("ClickHouse does not answer")
        return len(asked)

    return asked, fetch


def test_pace_rests_ten_times_as_long_as_it_worked() -> None:
    pace = Pace(1.0)
    assert pace.wait_s(watched=True, took_s=0.01) == 1.0
    assert pace.wait_s(watched=True, took_s=0.5) == 5.0
    assert pace.wait_s(watched=False, took_s=0.01) == 5.0
    assert pace.wait_s(watched=True, took_s=100) == LONGEST_S


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def _nobody_watches() -> None:
    asked, fetch = counting()
    poller = Poller("test", fetch, Pace(0.0, when_idle=False), Metrics())
    task = asyncio.create_task(poller.run())
    await turns()
    assert asked == []
    with poller.watched():
        await turns()
        assert asked
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_question_that_nobody_watches_is_not_asked_until_somebody_does() -> None:
    asyncio.run(_nobody_watches())


async def _many_watch() -> None:
    asked, fetch = counting()
    poller = Poller("test", fetch, Pace(60.0, when_idle=False), Metrics())
    task = asyncio.create_task(poller.run())
    for _ in range(5):
        poller.join()
    await turns(10)
    assert len(asked) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_many_watchers_cost_one_question() -> None:
    asyncio.run(_many_watch())


async def _fails_between() -> None:
    _, fetch = counting(fail_at=1)
    metrics = Metrics()
    poller = Poller("test", fetch, Pace(1.0), metrics)
    await poller.poll()
    answered = poller.answered_at
    await poller.poll()
    assert (poller.value, poller.answered_at) == (1, answered)
    assert poller.fault == "ClickHouse does not answer"
    await poller.poll()
    assert poller.value == 3
    assert not poller.fault
    assert b'touchstream_serve_poll_errors_total{query="test"} 1.0' in metrics.exposition()


def test_an_answer_that_fails_leaves_the_last_one_with_its_age() -> None:
    asyncio.run(_fails_between())
