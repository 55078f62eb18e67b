"""How the processes say things: one line an event, time in UTC, nothing personal."""

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s {process}: %(message)s"
# These format a debug line for every record even when nobody listens, unless their own level says no.
NOISY = (
    "aiokafka",
    "faust",
    "mode",
    "kafka",
    "asyncio",
    "clickhouse_driver",
    "urllib3",
    "uvicorn",
    "nicegui",
    "websockets",
)


def set_up(process: str, level: str) -> None:
    """Send what this process says to stderr, under its name."""
    formatter = logging.Formatter(FORMAT.format(process=process), "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("touchstream").setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
