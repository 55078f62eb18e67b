"""Rejected records for API and board: read from the tables, and sent again by `pipeline.redriving`, one redrive at a time."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline import endpoints, rawlog, redriver, rejected_rows
from pipeline.config import Settings
from pipeline.rawlog import RawLogError
from pipeline.redrive_judging import Mending
from pipeline.redriver import OtherBegun, RedriveFailed
from pipeline.redrives import Ledger, Place, Rejected
from pipeline.redriving import Outcome, Redriving, decoders_of
from pipeline.rejected_content import Content, content
from pipeline.rejected_rows import Wanted
from pipeline.serve.clickhouse import Source, Unavailable
from pipeline.topics import REDRIVES
from schemas.registry import RegistryUnavailable, SchemaUnknown
from sinks import clickhouse

MOST: Final = 10_000
"""So many records go in one request; more are a matter for the command line."""
LEDGER_S: Final = 5.0
MOST_COUNTS: Final = 200
"""So many pairs of reason and source are told, the commonest ones: a source's name may be anything."""
COUNTS: Final = """
SELECT reason, source, records, sum(records) OVER () FROM
(
    SELECT reason, source, count() AS records FROM rejected FINAL
    WHERE rejected_at >= fromUnixTimestamp64Milli(%(since)s) GROUP BY reason, source
)
ORDER BY records DESC, reason, source LIMIT %(most)s
"""


class Busy(Exception):
    """Another redrive is at work, here or elsewhere."""


class TooMany(Exception):
    """More records are meant than one request may send."""


class Unready(Unavailable):
    """Kafka, ClickHouse or the schema registry does not answer, or the registry does not take our schema. What was sent by then was
    sent."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records of a source were rejected for a reason."""

    reason: str
    source: str
    records: int


class Redrives:
    """One for the process. What it reads raises Unavailable and QueryFailed of `pipeline.serve.clickhouse`."""

    def __init__(self, settings: Settings, source: Source) -> None:
        self._settings = settings
        self._source = source
        self._at_work = threading.Lock()
        self._ledger: Ledger | None = None
        self._ledger_ends: rawlog.Ends = {}
        self._read_at = float("-inf")

    @property
    def prefix(self) -> str:
        """Of the installation's topics."""
        return self._settings.topic_prefix

    async def find(self, wanted: Wanted, limit: int) -> tuple[int, list[Rejected]]:
        """How many there are, and the newest ones, without bytes."""
        ((total,),) = await self._source.rows(rejected_rows.COUNT, wanted.parameters())
        rows = await self._source.rows(rejected_rows.FIND, {**wanted.parameters(), "limit": limit})
        return int(total), [rejected_rows.rejected_of(row) for row in rows]

    async def at(self, place: Place) -> list[tuple[Rejected, Content]]:
        """Those at a place, with what their bytes hold; several where several stages have rejected it. Raises Unready."""
        rows = await self._source.rows(rejected_rows.AT, {"places": [tuple(place)]})
        found = [rejected_rows.rejected_of(row) for row in rows]
        return await asyncio.to_thread(self._read, found)

    async def counts(self, since: int) -> tuple[int, list[Counted]]:
        """How many were rejected since, in milliseconds since epoch, UTC: of all, and by reason and source, the most first."""
        rows = await self._source.rows(COUNTS, {"since": since, "most": MOST_COUNTS})
        return (int(rows[0][3]) if rows else 0), [Counted(*row[:3]) for row in rows]

    async def ledger(self) -> Ledger | None:
        """What has been sent again, as it was a moment ago; None while Kafka does not answer."""
        if time.monotonic() - self._read_at > LEDGER_S:
            self._ledger = await asyncio.to_thread(self._read_ledger)
            self._read_at = time.monotonic()
        return self._ledger

    async def run(self, which: Sequence[Place] | Wanted, mending: Mending, *, dry_run: bool) -> list[Outcome]:
        """Send records again, each at most once, or tell what would come of it.

        It goes on when nobody waits for it any more. Raises Busy, TooMany, Unready.
        """
        return await asyncio.to_thread(self._run, which, mending, dry_run)

    def _run(self, which: Sequence[Place] | Wanted, mending: Mending, dry_run: bool) -> list[Outcome]:
        if not self._at_work.acquire(blocking=False):
            raise Busy("a redrive is at work: try again when it is done")
        outcomes: list[Outcome] = []
        try:
            database = clickhouse.ClickHouse(self._settings)
            try:
                places = self._places(database, which)
                work = Redriving(self._settings, database, mending, lambda: int(time.time() * 1000), outcomes.append)
                (work.look if dry_run else work.send)(places)
            finally:
                database.close()
        except OtherBegun as error:
            raise Busy(str(error)) from error
        except (
            endpoints.NotRunning,
            RawLogError,
            RedriveFailed,
            clickhouse.Unavailable,
            clickhouse.Refused,
            RegistryUnavailable,
            SchemaUnknown,
        ) as error:
            raise Unready(str(error)) from error
        finally:
            self._read_at = float("-inf")
            self._at_work.release()
        return outcomes

    def _places(self, database: clickhouse.ClickHouse, which: Sequence[Place] | Wanted) -> Sequence[Place]:
        if not isinstance(which, Wanted):
            return which
        found = rejected_rows.find(database, which, MOST + 1)
        if len(found) > MOST:
            raise TooMany(f"more than {MOST} records: narrow the filter, or use `touchstream rejected redrive`")
        return [one.place for one in found]

    def _read(self, found: list[Rejected]) -> list[tuple[Rejected, Content]]:
        try:
            decoders = decoders_of(self._settings)
            return [(one, content(one, decoders)) for one in found]
        except RegistryUnavailable as error:
            raise Unready(str(error)) from error

    def _read_ledger(self) -> Ledger | None:
        """It is kept for ever, so it is read again only where something has been added."""
        try:
            ends = rawlog.ends(endpoints.kafka(self._settings), [self._settings.topic_prefix + REDRIVES])
            if self._ledger is not None and ends == self._ledger_ends:
                return self._ledger
            found = redriver.ledger(self._settings)
        except (endpoints.NotRunning, RawLogError, RedriveFailed):
            return None
        self._ledger_ends = ends
        return found
