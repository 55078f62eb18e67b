"""The page Rejected asks no more than a tenth of the time, however long an answer takes."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from nicegui import Client, ui

from pipeline.serve.board import rejected
from pipeline.serve.board.layout import View


class Slow:
    """Rejected records of which the counts take as long as it says."""

    def __init__(self, clock: list[float], takes_s: float) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.asked = 0

    async def counts(self, since: int) -> tuple[int, list[Any]]:
        """See Redrives."""
        self.asked += 1
        self.clock[0] += self.takes_s
        return 0, []

    async def find(self, wanted: object, limit: int) -> tuple[int, list[Any]]:
        """See Redrives."""
        return 0, []

    async def ledger(self) -> dict[Any, Any]:
        """See Redrives."""
        return {}


@pytest.mark.parametrize(("takes_s", "times"), [(0.01, 20), (2.0, 4)])
def test_it_rests_ten_times_as_long_as_it_took(takes_s: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    slow = Slow(clock, takes_s)
    monkeypatch.setattr(rejected, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    shared: Any = SimpleNamespace(redrives=slow, zone=ZoneInfo("UTC"), context=None)

    async def go() -> None:
        with Client(ui.page("/")):
            page = rejected.RejectedPage(shared, View("/rejected", "7d", ""), {})
            for _ in range(20):
                await page.fill()
                clock[0] += rejected.LOOK_AGAIN_S

    asyncio.run(go())
    assert slow.asked == times
