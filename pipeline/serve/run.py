"""The process `serve`: listens, says where, and stops when it is told to."""

import logging
import sys
from typing import Final

from pipeline import http_server, ready
from pipeline.config import Settings
from pipeline.http_server import LOOPBACK, Address
from pipeline.serve.app import create_app
from pipeline.serve.hub import Lag, Restarts
from pipeline.serve.sources_now import Alerts

log = logging.getLogger("touchstream.serve")

USUAL_PORT: Final = 8400


def run(
    settings: Settings, lag: Lag | None = None, restarts: Restarts | None = None, alerts: Alerts | None = None
) -> None:
    """Serve the board and the API until SIGTERM or SIGINT, then stop within five seconds.

    Once it listens, the URL stands in `run/serve.json` under home; the file goes when the process does. Raises CannotListen, and
    OSError when home cannot be written.
    """
    if settings.serve_host not in LOOPBACK:
        log.warning("anyone who reaches %s can read personal data: there is no sign-in", settings.serve_host)
    # The driver logs a stack trace at every attempt; that ClickHouse is away is told once, by the pollers.
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)
    app = create_app(settings, lag=lag, restarts=restarts, alerts=alerts)
    address = Address(settings.serve_host, settings.serve_port, USUAL_PORT, "TOUCHSTREAM_SERVE_PORT")

    def announce(url: str) -> None:
        ready.say(settings, "serve", url=url)
        sys.stdout.write(f"board and API: {url}\n")
        sys.stdout.flush()

    try:
        http_server.serve(app, address, announce)
    finally:
        ready.forget(settings, "serve")
    fault = app.state.fault
    if fault is not None:
        raise fault
