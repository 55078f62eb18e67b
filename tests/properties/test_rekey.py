"""Touchpoints under any key, in any partition: each comes to its own, once, and what is known in the end is the same."""

from collections import defaultdict
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from pipeline.events import Origin, Out, Raw
from pipeline.flow import Rules, flow
from pipeline.topics import RESOLVED
from processors.rekey import HEADER, Places
from processors.resolve import ResolvedWriter, ResolveFold
from tests.harness.touchpoints import NOW, SMALL_POLICY, SOURCE, admission, encoder, touchpoint, wire

PARTITIONS = 3
PLACES = Places("cx.", PARTITIONS)
ADMISSION = replace(admission(), places=PLACES)
RESOLVED_WRITER = ResolvedWriter(encoder("resolved_touchpoint"), ADMISSION.decoder)
Sent = list[tuple[str, int]]


class Topic:
    """A source topic with its partitions, and a fold for each."""

    def __init__(self) -> None:
        self.partitions: dict[int, list[Raw]] = defaultdict(list)
        self.folds = {n: ResolveFold(ADMISSION, RESOLVED_WRITER) for n in range(PARTITIONS)}
        self.resolved: list[bytes] = []
        self.read = dict.fromkeys(range(PARTITIONS), 0)

    def put(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Write a record to its end."""
        records = self.partitions[partition]
        records.append(Raw(Origin(SOURCE, partition, len(records), NOW + len(records)), key, value))

    def turn(self, partition: int) -> bool:
        """Let the stage read what is new in a partition; whether there was anything."""
        batch = self.partitions[partition][self.read[partition] :]
        self.read[partition] += len(batch)
        for out in self.folds[partition].fold(batch):
            self.take(out)
        return bool(batch)

    def take(self, out: Out) -> None:
        """Where the stage's output goes."""
        if out.topic == RESOLVED:
            self.resolved.append(out.value or b"")
        elif out.topic == SOURCE.removeprefix("cx."):
            assert HEADER in dict(out.headers)
            self.put(PLACES.home((out.key or b"").decode()), out.key, out.value)

    def log(self) -> list[Raw]:
        """Everything on it."""
        return [raw for records in self.partitions.values() for raw in records]


@given(
    sent=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 4), st.integers(0, PARTITIONS - 1)), max_size=25
    ),
    turns=st.lists(st.integers(0, PARTITIONS - 1), max_size=12),
)
def test_each_event_counts_once_wherever_it_was_written(sent: list[tuple[str, int, int]], turns: list[int]) -> None:
    """Whatever a source's partitioner does, and in whatever order the partitions are read."""
    topic = Topic()
    for person, number, partition in sent:
        record = touchpoint(event_id=f"{person}-{number}", identifiers=[{"namespace": "customer", "value": person}])
        topic.put(partition, b"any key", wire(record))
    for partition in turns:
        topic.turn(partition)
    moved_in_all = 2  # a record that was sent on is read once more, and never sent on again
    for _ in range(moved_in_all):
        for partition in range(PARTITIONS):
            topic.turn(partition)
    assert not any(topic.turn(partition) for partition in range(PARTITIONS))
    found = [record["event_id"] for record in flow(topic.log(), Rules(ADMISSION, SMALL_POLICY)).touchpoints]
    expected = {f"{person}-{number}" for person, number, _ in sent}
    assert sorted(found) == sorted(expected)
    assert len(topic.resolved) == len(expected)
    result = flow(topic.log(), Rules(ADMISSION, SMALL_POLICY))
    assert len(result.touchpoints) + len(result.duplicates) + len(result.rekeyed) == len(topic.log())


def test_what_is_no_touchpoint_is_rejected_where_it_lies() -> None:
    """Nobody can say where it belongs."""
    topic = Topic()
    topic.put(2, None, b"junk")
    (out,) = topic.folds[2].fold(topic.partitions[2])
    assert out.topic == "rejected.v1"
