"""The board's addresses."""

from contextlib import ExitStack

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from pipeline.serve.api import Context
from pipeline.serve.board.customer import CustomerPage
from pipeline.serve.board.customers import customers_page
from pipeline.serve.board.layout import ASSETS, Shared, view_of
from pipeline.serve.board.now import NowPage
from pipeline.serve.board.rejected import RejectedPage
from pipeline.serve.board.sources import SourcesPage


def attach(app: FastAPI, shared: Shared) -> None:
    """Put the board's pages into the app."""
    context = shared.context

    @ui.page("/", title="Now · touchstream")
    def now(request: Request) -> None:
        view = view_of(request)
        _watch(context, view.window)
        NowPage(shared, view)

    @ui.page("/customers", title="Customers · touchstream")
    def customers(request: Request) -> None:
        _watch(context, None)
        customers_page(shared, view_of(request))

    @ui.page("/customer/{person}", title="Customer · touchstream")
    async def customer(request: Request, person: str) -> None:
        _watch(context, None)
        await CustomerPage(shared, view_of(request), person).fill()

    @ui.page("/rejected", title="Rejected · touchstream")
    async def rejected(request: Request) -> None:
        _watch(context, None)
        await RejectedPage(shared, view_of(request), request.query_params).fill()

    @ui.page("/sources", title="Sources · touchstream")
    def sources(request: Request) -> None:
        _watch(context, None)
        stack = ExitStack()
        stack.enter_context(context.desk.watched())
        ui.context.client.on_delete(stack.close)
        SourcesPage(shared, view_of(request))

    app.mount("/assets", StaticFiles(directory=ASSETS))
    ui.run_with(
        app,
        title="touchstream",
        favicon=ASSETS / "favicon.svg",
        dark=None,
        language="en-GB",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=5.0,
        binding_refresh_interval=None,
    )


def _watch(context: Context, window: str | None) -> None:
    stack = ExitStack()
    stack.enter_context(context.hub.watched(window))
    ui.context.client.on_delete(stack.close)
