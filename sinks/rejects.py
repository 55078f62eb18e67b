"""Records whose rows ClickHouse refuses: written to the rejected ones before the sink goes past them."""

from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.events import Origin, Out, Raw, Reason, Rejection
from pipeline.topics import REJECTED
from processors.rejects import attempt_of, rejected

STAGE: Final = "sink"
WRITTEN_WITHIN_S: Final = 30.0
LARGEST_BYTES: Final = 64 << 20


class TooManyRefused(Exception):
    """Most rows are refused, or even the row that says so is: the tables are not what this version writes to."""


def rejected_of(record: Any, content: dict[str, Any], table: str, why: str) -> Out:
    """The rejected record for a record of Kafka whose `content` gave a row that `table` refuses.

    Its source is that of a touchpoint, the record itself for all that is derived. One that is refused as a rejected record goes
    without its bytes, which its own topic keeps. Raises TooManyRefused when that is refused too.
    """
    origin, key, value = (
        Origin(record.topic, record.partition, record.offset, record.timestamp),
        record.key,
        record.value,
    )
    if "source_offset" in content:
        place = (content["source_topic"], content["source_partition"], content["source_offset"])
        origin = Origin(*place, record.timestamp)
    if table == "rejected":
        if content["stage"] == STAGE:
            raise TooManyRefused(f"the row of a rejected record is refused: {why}")
        key, value = None, b""
    reason = Rejection(Reason.ROW_REFUSED, "", f"a row that the table {table} takes", why)
    return rejected(Raw(origin, key, value, attempt_of(record.headers)), reason, STAGE)


class RejectedTopic:
    """Writes rejected records; connects when the first one comes."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer: Any = None

    def write(self, outs: list[Out]) -> None:
        """Returns when all are acknowledged by all replicas. Raises KafkaError; then they may have been written or not."""
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap.split(","),
                acks="all",
                compression_type="lz4",
                max_request_size=LARGEST_BYTES,
                delivery_timeout_ms=int(WRITTEN_WITHIN_S * 1000),
                request_timeout_ms=int(WRITTEN_WITHIN_S * 1000) - 1000,
                max_block_ms=5000,
            )
        name = self._prefix + REJECTED
        sent = [self._producer.send(name, out.value, key=out.key, headers=list(out.headers)) for out in outs]
        for one in sent:
            one.get(WRITTEN_WITHIN_S)

    def close(self) -> None:
        """Hang up."""
        if self._producer is not None:
            try:
                self._producer.close(timeout=1)
            except KafkaError:
                self._producer = None
