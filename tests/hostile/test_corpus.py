"""The whole corpus without HTTP and Kafka: every answer is the expected one, soon, and says nothing of what was sent."""

import time
from dataclasses import replace

import pytest

from pipeline.events import Origin, Raw, Reason, Rejection
from pipeline.topics import REJECTED
from processors.resolve import judge
from tests.harness.codecs import CODECS, codec
from tests.harness.touchpoints import NOW, REGISTRY, Record, admission, raw, resolve_fold, touchpoint, wire
from tests.hostile import mapped
from tests.hostile.bodies import entries
from tests.hostile.desk import Front
from tests.hostile.entries import ACCEPTED, PERSON, Entry
from tests.hostile.records import records

MOST_S = 1.0
LEAST_ENTRIES = 200
CORPUS = [*entries(NOW, "corpus"), *mapped.entries(NOW, "corpus")]
RECORDS = records(NOW)
FEWEST_OF_A_BATCH = 64


@pytest.fixture(scope="module")
def front() -> Front:
    """One for all entries."""
    return Front(NOW)


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    """Or a failure would not say which entry it is."""
    assert len(CORPUS) >= LEAST_ENTRIES
    assert len(RECORDS) >= LEAST_ENTRIES - 10
    assert len({entry.name for entry in CORPUS}) == len(CORPUS)
    assert len({name for name, _, _ in RECORDS}) == len(RECORDS)


def test_every_reason_is_reached() -> None:
    """But for those that no input alone leads to: a fault of ours or a table, a strict catalogue."""
    reached = {code for entry in CORPUS for code in entry.codes} | {code.value for _, _, code in RECORDS}
    others = {Reason.PROCESSING_FAILED, Reason.ROW_REFUSED, Reason.TOUCHPOINT_UNKNOWN}
    assert {reason.value for reason in Reason} - others <= reached


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_a_body_has_the_expected_answer(entry: Entry, front: Front) -> None:
    """Whatever was good in it is stored, whatever was bad is kept, and nothing of it is repeated."""
    before, body = len(front.stored.records), entry.make()
    began = time.process_time()
    told = front.answer(replace(entry, make=lambda: body))
    assert time.process_time() - began < MOST_S
    assert (told.status, told.codes) == (entry.status, entry.codes)
    assert PERSON.lower() not in told.words.lower()
    stored = front.stored.records[before:]
    rejected = [one for one in stored if one.topic == "cx." + REJECTED]
    assert len(stored) - len(rejected) == told.codes.count(ACCEPTED)
    for one in rejected:
        assert PERSON.encode().lower() not in b" ".join(value for _, value in one.headers).lower()


@pytest.mark.parametrize("name", CODECS)
def test_both_decoders_have_the_same_reason_for_every_record(name: str) -> None:
    """Alone, among others of its kind, and in a batch that is large enough for the fast decoder."""
    decoder = codec(name).decoder("touchpoint", REGISTRY)
    good = wire(touchpoint())
    together = decoder.decode_all([value for _, value, _ in RECORDS])
    for (wrong, value, code), among in zip(RECORDS, together, strict=True):
        assert reason(value, among) == code, wrong
        batch = [good] * (FEWEST_OF_A_BATCH - 1)
        found = decoder.decode_all([*batch, value])
        assert reason(value, found[-1]) == code, wrong
        assert found[:-1] == decoder.decode_all(batch), "the neighbours are untouched"


def reason(value: bytes | None, found: Record | Rejection) -> Reason | None:
    """Why a decoded record is no touchpoint."""
    judged = judge(Raw(Origin("", 0, 0, NOW), None, value), found, admission())
    if not isinstance(judged, Rejection):
        return None
    assert PERSON.lower() not in f"{judged.field} {judged.expected} {judged.got}".lower()
    return judged.reason


def test_the_stage_rejects_each_with_its_own_bytes_and_stores_its_neighbours() -> None:
    """One good record behind each bad one."""
    pairs = [
        pair
        for n, (_, value, _) in enumerate(RECORDS)
        for pair in (raw(value, 2 * n), raw(wire(touchpoint(event_id=f"good-{n}")), 2 * n + 1))
    ]
    outs = resolve_fold().fold(pairs)
    rejected = [out for out in outs if out.topic == REJECTED]
    assert [out.value for out in rejected] == [value for _, value, _ in RECORDS]
    assert [dict(out.headers)["cx.reason"].decode() for out in rejected] == [code.value for _, _, code in RECORDS]
    assert len(outs) == len(pairs)
