"""The app: API and board together, over one source and one set of pollers."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from pipeline.config import Settings, installation_secret
from pipeline.keys import Keyring
from pipeline.serve import errors, registry, rejected_api, sources_api
from pipeline.serve.api import Context, router
from pipeline.serve.board import pages
from pipeline.serve.board.layout import Shared
from pipeline.serve.clickhouse import ClickHouse, Source
from pipeline.serve.guard import Guard
from pipeline.serve.hub import Hub, Lag, Restarts
from pipeline.serve.metrics import Metrics
from pipeline.serve.redrives import Redrives
from pipeline.serve.sources_now import Alerts, SourceDesk


def create_api(
    settings: Settings,
    source: Source | None = None,
    lag: Lag | None = None,
    restarts: Restarts | None = None,
    alerts: Alerts | None = None,
) -> FastAPI:
    """The HTTP API alone. `source`: where rows come from, by default the ClickHouse of the settings.

    `lag` tells how many records wait before each stage, or None when it cannot tell, `restarts` how often each process was started
    again, `alerts` all alerts by id, or None when it cannot tell; they may block and must not raise. Raises OSError when the
    installation's secret can be neither read nor made.
    """
    rows = source or ClickHouse(settings)
    metrics = Metrics()
    hub = Hub(settings, rows, metrics, lag, restarts)
    desk = SourceDesk(settings, rows, metrics, alerts, hub.waiting if lag else None)

    def stop_on_fault(polling: asyncio.Task[None]) -> None:
        # A board whose polling has died would go on showing old numbers: better none than that.
        if not polling.cancelled() and polling.exception() is not None:
            app.state.fault = polling.exception()
            signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        polling = asyncio.create_task(_run(hub, desk))
        polling.add_done_callback(stop_on_fault)
        yield
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        if isinstance(rows, ClickHouse):
            rows.close()

    app = FastAPI(
        title="touchstream",
        version="1",
        description="Customers, their journeys and the scores over all of them, live.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.context = Context(rows, Keyring(installation_secret(settings)), hub, metrics, desk)
    app.state.fault = None
    app.state.redrives = Redrives(settings, rows)
    errors.install(app)
    app.include_router(rejected_api.router)
    sources_api.install(app, desk, ZoneInfo(settings.timezone))
    app.include_router(router)
    registry.install(app, settings)
    app.add_middleware(Guard, host=settings.serve_host, metrics=metrics)
    return app


async def _run(hub: Hub, desk: SourceDesk) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(hub.run())
        group.create_task(desk.poller.run())


def create_app(
    settings: Settings,
    source: Source | None = None,
    lag: Lag | None = None,
    restarts: Restarts | None = None,
    alerts: Alerts | None = None,
) -> FastAPI:
    """The API with the board; see `create_api`. At most one in a process, because NiceGUI keeps its pages globally."""
    app = create_api(settings, source, lag, restarts, alerts)
    pages.attach(app, Shared(app.state.context, app.state.redrives, ZoneInfo(settings.timezone)))
    return app
