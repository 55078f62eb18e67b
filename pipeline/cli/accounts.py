"""What `reconcile` and `recompute` share: errors, and progress on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline import endpoints, rawlog
from pipeline.cli.output import EX_CONFIG, EX_UNAVAILABLE, err, fail
from schemas.registry import RegistryUnavailable
from sinks.clickhouse import Refused, Unavailable


@contextmanager
def reading(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many records have been read; turn what can go wrong into one line and an exit code."""
    try:
        with err.status(f"{what}: reading the raw topics") as status:
            yield lambda n: status.update(f"{what}: {n:,} records read".replace(",", " "))
    except endpoints.NotRunning as error:
        fail(str(error), EX_CONFIG)
    except (rawlog.RawLogError, Unavailable, RegistryUnavailable, Refused) as error:
        fail(str(error), EX_UNAVAILABLE)
