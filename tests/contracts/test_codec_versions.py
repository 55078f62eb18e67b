"""Records of several versions, read by both codecs like those of the newest."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.codec import Codec, Decoder
from pipeline.events import Reason, Rejection
from schemas.registry import load
from tests.harness.codecs import (
    CODECS,
    Registered,
    codec,
    narrower,
    newer,
    older,
    records_of,
    reworded,
    spoilt,
    under,
    written,
)
from tests.harness.touchpoints import answer, touchpoint, wire

MANY = 300
GOOD = wire(touchpoint())


@pytest.fixture(params=CODECS)
def each(request: pytest.FixtureRequest) -> Codec:
    """Each codec."""
    return codec(request.param)


def test_several_versions_in_one_batch(each: Codec) -> None:
    """Older, newer, reworded and unknown writers, mixed; in order."""
    schemas = {1: load("touchpoint"), 2: newer(), 3: older(), 4: reworded(), 5: load("session")}
    decoder = each.decoder("touchpoint", Registered(schemas))
    values: list[bytes | None] = []
    expected: list[Any] = []
    for n in range(MANY):
        ours = touchpoint(event_id=str(n))
        for number, more in ((1, {}), (2, {"mood": "fine", "channel": "hologram"}), (3, {"weight": 0.5}), (4, {})):
            values.append(written(schemas[number], {**ours, **more}, number))
            expected.append({**ours, "channel": "other"} if number == 2 else ours)
        values += [under(5, GOOD), under(6, GOOD)]
        expected += [Reason.SCHEMA_UNSUITABLE, Reason.SCHEMA_UNKNOWN]
    found = decoder.decode_all(values)
    assert [one.reason if isinstance(one, Rejection) else one for one in found] == expected
    columns = decoder.decode_columns(values)
    assert columns.by_name["event_id"] == [one["event_id"] for one in expected if isinstance(one, dict)]
    assert columns.rejected == [(place, one) for place, one in enumerate(found) if isinstance(one, Rejection)]


def test_versions_that_differ_in_whole_fields_are_read_like_any_other(each: Codec) -> None:
    """Mixed with ours and in order, as records and as columns, with bad ones among them."""
    schemas = {1: load("touchpoint", 1), 2: load("touchpoint"), 3: narrower()}
    registry = Registered(schemas)
    records = records_of(load("touchpoint"))
    values: list[bytes | None] = []
    for n in range(2 * MANY):
        number, record = n % 3 + 1, records[n % len(records)]
        value = written(schemas[number], {**record, "till": str(n)}, number)
        values.append(value[:-1] if n % 97 == 0 else value)
    one_by_one = Decoder("touchpoint", registry)
    expected = [one_by_one.decode(value) for value in values]
    decoder = each.decoder("touchpoint", registry)
    assert decoder.decode_all(values) == expected
    good = [one for one in expected if isinstance(one, dict)]
    columns = decoder.decode_columns(values)
    assert repr(columns.by_name["occurred_at"]) == repr([one["occurred_at"] for one in good])
    scores = [one["answer"]["value"] if one["answer"] else None for one in good]
    assert columns.by_name["answer.value"] == scores
    assert columns.by_name["attributes"] == [one["attributes"] for one in good]
    assert [place for place, _ in columns.rejected] == [
        n for n, one in enumerate(expected) if not isinstance(one, dict)
    ]
    some = each.decoder("touchpoint", registry, ["event_id", "waited_ms", "answer"]).decode_all(values)
    assert [(one["event_id"], one["waited_ms"], one["answer"]) for one in some if isinstance(one, dict)] == [
        (one["event_id"], one["waited_ms"], one["answer"]) for one in good
    ]


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_spoilt_bytes_of_another_version_have_the_same_fate(name: str, data: st.DataObject) -> None:
    """As one by one."""
    schema = data.draw(st.sampled_from([load("touchpoint", 1), narrower()]))
    registry = Registered({7: schema})
    value = written(schema, {**touchpoint(answer=answer()), "till": "3"}, 7)
    values = [data.draw(spoilt(value)), *[value] * MANY]
    one_by_one = Decoder("touchpoint", registry)
    expected = [one_by_one.decode(one) for one in values]
    assert codec(name).decoder("touchpoint", registry).decode_all(values) == expected
