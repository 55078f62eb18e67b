"""What commands share: settings, one-line errors with exit codes, JSON for programs and words for people."""

import json
import sys
from typing import Any, Final, NoReturn

from rich.console import Console

from pipeline import config

EX_USAGE: Final = 64
EX_DATAERR: Final = 65
EX_NOINPUT: Final = 66
EX_UNAVAILABLE: Final = 69
EX_SOFTWARE: Final = 70
EX_CANTCREAT: Final = 73
EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78

# Into a file or a pipe, tables are as wide as they need to be.
_WIDTH: Final = None if sys.stdout.isatty() else 200
out = Console(highlight=False, soft_wrap=True, width=_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: int) -> NoReturn:
    """One clear line on stderr, and out with a sysexits code."""
    err.print(f"touchstream: {message}", style="red", markup=False)
    raise SystemExit(code)


def settings() -> config.Settings:
    """The validated settings; a fault in them ends the command with code 78."""
    try:
        return config.load()
    except config.ConfigError as error:
        fail(str(error), EX_CONFIG)


def as_json(value: Any) -> None:
    """One JSON document on one line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
