"""Waiting for a while, but no longer than until one is told to stop."""

import asyncio


async def at_most(stop: asyncio.Event, seconds: float) -> None:
    """Until `stop` is set, for so many seconds at the longest."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
