"""How the processes say things: one line an event, time in UTC, nothing personal."""

import logging
import sys
import time
from collections.abc import Callable

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
# While a broker is away these say so hundreds of times a second.
CHATTERING = ("aiokafka", "kafka")
DAMPED_FOR_S = 10.0


class Damped(logging.Filter):
    """Lets a chattering library through once in so many seconds, with the number of lines that it has said meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._spoke_at: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See the class. A line that is held back is counted and gone."""
        library = record.name.partition(".")[0]
        if library not in CHATTERING:
            return True
        now = self._clock()
        if now - self._spoke_at.get(library, float("-inf")) < DAMPED_FOR_S:
            self._held[library] = self._held.get(library, 0) + 1
            return False
        self._spoke_at[library] = now
        held = self._held.pop(library, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} (and {held} lines before, not shown)", None
        return True


def hush() -> None:
    """Let no library speak, for commands that say in one line themselves what is wrong."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def set_up(process: str, level: str) -> None:
    """Send what this process says to stderr, under its name. At level debug nothing is held back."""
    formatter = logging.Formatter(FORMAT.format(process=process), "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    if level != "debug":
        handler.addFilter(Damped())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("touchstream").setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Whoever asks ClickHouse says in a line what this one says with a stack trace.
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)
    # It warns of every tenth of a second in which a busy machine did not let it run.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
