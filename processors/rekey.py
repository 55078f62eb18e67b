"""Where a touchpoint belongs, and how one that lies elsewhere is sent on. Pure.

A source that writes to Kafka itself may use any key and any partitioner. What matters is the partition: there an event id is known
again, and there one identifier's touchpoints keep their order. From its own partition a record is never sent on, so it moves once.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.events import Origin, Out, Raw
from pipeline.partitions import partition_of

HEADER: Final = "cx.rekeyed"
"""On a record that was sent on: where it lay before, as topic-partition@offset."""


@dataclass(frozen=True, slots=True)
class Places:
    """The partitions of the source topics, whose full names begin with `prefix`."""

    prefix: str
    partitions: int

    def home(self, cell: str) -> int:
        """The partition to which a cell's touchpoints belong."""
        return partition_of(cell.encode(), self.partitions)

    def sent_on(self, raw: Raw, cell: str) -> Out:
        """The same bytes on the same topic, under the key by which they come to their own partition."""
        origin = raw.origin
        return Out(origin.topic.removeprefix(self.prefix), cell.encode(), raw.value, ((HEADER, _place(origin)),))


def _place(origin: Origin) -> bytes:
    return f"{origin.topic}-{origin.partition}@{origin.offset}".encode()
