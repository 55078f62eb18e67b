"""What the tables say of source records, in windows, so that memory does not grow with the number of rows."""

import hashlib
from collections.abc import Collection, Iterator
from typing import Final

from pipeline.reconcile import REFUSED, REJECTED, STORED, Twin
from sinks.clickhouse import ClickHouse
from sinks.rejects import STAGE as SINK

WINDOW: Final = 1_000_000
# Of 32 characters each, so that a query stays well below ClickHouse's usual limit of 256 KiB.
IDS_OF_A_QUERY: Final = 4_000
_OFFSETS: Final = """SELECT source_offset FROM {table} FINAL
    WHERE source_topic = %(topic)s AND source_partition = %(partition)s
        AND source_offset >= %(first)s AND source_offset < %(beyond)s"""
_FATES: Final = (
    (_OFFSETS.format(table="touchpoints"), STORED),
    (f"{_OFFSETS.format(table='rejected')} AND stage != '{SINK}'", REJECTED),
    (f"{_OFFSETS.format(table='rejected')} AND stage = '{SINK}'", REFUSED),
)
# Without FINAL: a row that is going to be replaced says of its event id what its successor says, and the newest is asked for.
_TWINS: Final = """SELECT lower(hex(MD5(event_id))) AS name, max(source_offset),
        toUnixTimestamp64Milli(argMax(arrived_at, source_offset))
    FROM touchpoints
    WHERE source_topic = %(topic)s AND source_partition = %(partition)s AND name IN %(names)s GROUP BY name"""


class TableEvidence:
    """Evidence from ClickHouse; see `pipeline.reconcile.Evidence`. Its methods raise Unavailable, Refused."""

    def __init__(self, database: ClickHouse, window: int = WINDOW) -> None:
        self._database = database
        self._size = window
        self._at: tuple[str, int, int] = ("", -1, 0)
        self._window = bytearray()

    def fates(self, topic: str, partition: int, first: int, last: int) -> bytes:
        """See Evidence."""
        found = bytearray()
        while first <= last:
            begin = self._begin(topic, partition, first)
            part = self._window[first - begin : last + 1 - begin]
            found += part
            first += len(part)
        return bytes(found)

    def _begin(self, topic: str, partition: int, offset: int) -> int:
        """Where the window begins that holds the offset; it is fetched when it is another one than before."""
        begin = offset - offset % self._size
        if (topic, partition, begin) != self._at:
            window = bytearray(self._size)
            where = {"topic": topic, "partition": partition, "first": begin, "beyond": begin + self._size}
            for sql, fate in _FATES:
                for offsets in self._database.columns(sql, where):
                    for found in set(offsets):
                        window[found - begin] += fate
            self._at, self._window = (topic, partition, begin), window
        return begin

    def twins(self, topic: str, partition: int, event_ids: Collection[str]) -> dict[str, Twin]:
        """See Evidence."""
        by_name = {hashlib.md5(one.encode(), usedforsecurity=False).hexdigest(): one for one in event_ids}
        found = {}
        for names in _parts(sorted(by_name)):
            where = {"topic": topic, "partition": partition, "names": names}
            for name, offset, arrived_at in self._database.query(_TWINS, where):
                found[by_name[name]] = Twin(offset, arrived_at)
        return found


def _parts(names: list[str]) -> Iterator[list[str]]:
    for n in range(0, len(names), IDS_OF_A_QUERY):
        yield names[n : n + IDS_OF_A_QUERY]
