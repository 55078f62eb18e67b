"""The process `intake`: listens, says where, and stops when it is told to, with everything answered that it has taken."""

import logging
import sys
from typing import Final

from pipeline import endpoints, http_server, ready
from pipeline.config import Settings
from pipeline.http_server import LOOPBACK, Address
from pipeline.intake.app import TOUCHPOINTS, create_app
from pipeline.telemetry import telemetry

log = logging.getLogger("touchstream.intake")
USUAL_PORT: Final = 8401
MOST_REQUESTS: Final = 1000


def run(settings: Settings) -> None:
    """Take touchpoints over HTTP until SIGTERM or SIGINT.

    Raises CannotListen, NotRunning, OSError, RegistryUnavailable, SchemaUnknown.
    """
    if settings.intake_host not in LOOPBACK:
        log.warning(
            "keys and touchpoints come to %s in plain text: put a proxy with TLS before it", settings.intake_host
        )
    address = Address(settings.intake_host, settings.intake_port, USUAL_PORT, "TOUCHSTREAM_INTAKE_PORT")
    with telemetry("intake", settings) as own:
        app = create_app(settings, endpoints.kafka(settings), own.registry)

        def announce(url: str) -> None:
            ready.say(settings, "intake", url=url, metrics=own.url)
            sys.stdout.write(f"intake: {url}{TOUCHPOINTS}\n")
            sys.stdout.flush()

        grace_s = int(settings.intake_timeout_s) + 1
        # Without web sockets: the handshake for one may wait for ever.
        options = {"limit_concurrency": MOST_REQUESTS, "backlog": 2048, "ws": "none"}
        http_server.serve(app, address, announce, timeout_graceful_shutdown=grace_s, **options)
