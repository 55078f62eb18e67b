"""What waits to be sent: in order, bounded, and with nothing lost that was not meant to be."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.client.buffer import SEGMENT_LINES, Buffer, BufferFull, Dropping, Spilling
from pipeline.client.ids import uuid7


def put(buffer: Buffer, first: int, beyond: int) -> None:
    """Lines that are numbers."""
    for number in range(first, beyond):
        buffer.put(b"%d" % number)


def drain(buffer: Buffer, together: int = 7) -> list[int]:
    """Everything, as a sender takes it."""
    found: list[int] = []
    while len(buffer):
        lines = buffer.take(together, 0)
        found += [int(line) for line in lines]
        buffer.done(len(lines))
    return found


def test_a_full_buffer_lets_the_sender_wait() -> None:
    """And tells it when that is in vain; what was put stays."""
    buffer = Buffer(most=3, patience_s=0.01)
    put(buffer, 0, 3)
    with pytest.raises(BufferFull):
        buffer.put(b"3")
    assert drain(buffer) == [0, 1, 2]
    assert buffer.empty(0)


def test_what_is_taken_stays_until_it_is_done() -> None:
    """So a batch that fails is taken again."""
    buffer = Buffer()
    put(buffer, 0, 5)
    assert buffer.take(2, 0) == buffer.take(2, 0) == [b"0", b"1"]
    buffer.done(1)
    assert buffer.take(2, 0) == [b"1", b"2"]
    assert not buffer.empty(0)


def test_the_oldest_is_dropped_and_counted() -> None:
    """But not what is on its way."""
    buffer = Dropping(most=4, patience_s=0.01)
    put(buffer, 0, 4)
    assert buffer.take(2, 0) == [b"0", b"1"]
    put(buffer, 4, 7)
    assert buffer.dropped == 3
    buffer.done(2)
    assert drain(buffer) == [5, 6]
    put(buffer, 0, 4)
    buffer.take(4, 0)
    with pytest.raises(BufferFull):
        buffer.put(b"9")


@given(
    turns=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40), st.booleans()), max_size=12),
    most=st.integers(1, 20),
)
def test_with_a_disk_nothing_is_lost_and_the_order_holds(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int, bool]], most: int
) -> None:
    """However it is filled, taken from and begun anew."""
    folder, sent, found = tmp_path_factory.mktemp("spill"), 0, list[int]()
    buffer = Spilling(folder, most)
    for more, taken, again in turns:
        put(buffer, sent, sent + more)
        sent += more
        lines = buffer.take(taken, 0) if taken else []
        found += [int(line) for line in lines]
        buffer.done(len(lines))
        if again:
            buffer.close()
            buffer = Spilling(folder, most)
    found += drain(buffer)
    assert list(dict.fromkeys(found)) == list(range(sent))
    buffer.close()
    assert list(folder.iterdir()) == []


def test_a_segment_is_gone_when_all_of_it_is_answered(tmp_path: Path) -> None:
    """Not before, because a sender that ends in between must send it again."""
    buffer = Spilling(tmp_path, most=1)
    put(buffer, 0, 1 + SEGMENT_LINES)
    assert len(list(tmp_path.iterdir())) == 1
    buffer.done(len(buffer.take(10, 0)))
    lines = buffer.take(SEGMENT_LINES, 0)
    assert len(lines) == SEGMENT_LINES
    buffer.done(SEGMENT_LINES - 1)
    assert len(list(tmp_path.iterdir())) == 1
    buffer.done(1)
    assert list(tmp_path.iterdir()) == []


def test_ids_sort_by_time_and_differ() -> None:
    """As RFC 9562 has them."""
    ids = [uuid7() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {one[14] for one in ids} == {"7"}
    assert {one[19] for one in ids} <= set("89ab")
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
