"""The simulator: its counts, its kinds, its truth, and that everything it sends is what it says it is."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from statistics import mean, variance

import msgspec
import pytest

from pipeline.codec import Decoder, Encoder
from pipeline.events import Reason, Rejection, Touchpoint
from pipeline.produce import Raw
from pipeline.simulate import Kind, OptionError, Options, Record, Simulation, Tally, simulate
from pipeline.simulate.arrivals import BIN_MS, in_bin
from pipeline.simulate.faults import BREAKERS, LATEST_MS
from processors.validate import TimeLimits, validate
from schemas.catalogue import listed
from schemas.registry import FileRegistry
from tests.unit.test_validate import OF_BODIES

NOON = 1_772_366_400_000
DAY_MS = 86_400_000
OPTIONS = Options(start=NOON, duration_ms=400_000, customers=500, invalid=0.01)
LIMITS = TimeLimits(earliest_ms=631_152_000_000, tolerance_ms=DAY_MS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(Simulation(OPTIONS))


@pytest.fixture(scope="module")
def stored(records: list[Record]) -> list[Touchpoint]:
    return [r.content for r in records if r.kind in (Kind.ON_TIME, Kind.LATE) and isinstance(r.content, Touchpoint)]


def test_the_rate_and_the_duration_say_how_many_records_there_are(records: list[Record]) -> None:
    assert len(records) == 20_000


def test_equal_options_give_equal_records_and_another_seed_gives_others(records: list[Record]) -> None:
    assert list(islice(simulate(OPTIONS), 2_000)) == [record.content for record in records[:2_000]]
    other = {r.event_id for r in islice(simulate(replace(OPTIONS, seed=2)), 500) if isinstance(r, Touchpoint)}
    assert not other & {r.content.event_id for r in records if isinstance(r.content, Touchpoint)} - {""}


def test_the_kinds_come_in_the_shares_that_were_asked_for(records: list[Record]) -> None:
    kinds = Counter(record.kind for record in records)
    assert kinds[Kind.DUPLICATE] == pytest.approx(400, abs=80)
    assert kinds[Kind.INVALID] == pytest.approx(200, abs=60)
    assert kinds[Kind.LATE] == pytest.approx(0.05 * 19_400, abs=20)


def test_ids_are_unique_and_duplicates_are_exact_copies_of_what_was_sent_before(records: list[Record]) -> None:
    seen: dict[str, Touchpoint] = {}
    for record in records:
        content = record.content
        if record.kind is Kind.DUPLICATE:
            assert isinstance(content, Touchpoint)
            assert seen[content.event_id] == content
        elif isinstance(content, Touchpoint) and content.event_id:
            assert content.event_id not in seen
            seen[content.event_id] = content


def test_nothing_happens_later_than_its_record_and_only_the_late_ones_much_before(records: list[Record]) -> None:
    for number, record in enumerate(records):
        if record.kind in (Kind.ON_TIME, Kind.LATE) and isinstance(record.content, Touchpoint):
            ago = NOON + number * 20 - record.content.occurred_at
            assert 0 <= ago <= (LATEST_MS if record.kind is Kind.LATE else 2_000)


def test_everything_that_is_to_be_stored_is_in_the_catalogue(stored: list[Touchpoint]) -> None:
    for touchpoint in stored:
        assert touchpoint.channel in listed()[touchpoint.event_type].channels, touchpoint.event_type


def test_every_channel_is_used_and_the_languages_too(stored: list[Touchpoint]) -> None:
    assert len({touchpoint.channel for touchpoint in stored}) == 11
    assert {touchpoint.language for touchpoint in stored if touchpoint.text} == {"en", "de", "ru", "zh"}


ENCODER = Encoder("touchpoint", FileRegistry(), "any")
DECODER = Decoder("touchpoint", FileRegistry())


def judged(record: Record) -> Reason | None:
    """What the pipeline's own decoder and checks say of a record that arrives when the simulation ends."""
    content = record.content
    value = content.value if isinstance(content, Raw) else ENCODER.encode(msgspec.to_builtins(content))
    decoded = DECODER.decode(value)
    verdict = decoded if isinstance(decoded, Rejection) else validate(decoded, NOON + 400_000, LIMITS)
    return verdict.reason if isinstance(verdict, Rejection) else None


def test_each_kind_of_broken_record_is_rejected_for_the_reason_that_is_counted(records: list[Record]) -> None:
    broken = [record for record in records if record.kind is Kind.INVALID]
    assert {record.reason for record in broken} == set(BREAKERS)
    for record in broken:
        assert judged(record) == record.reason


def test_what_is_to_be_stored_passes_the_checks(records: list[Record]) -> None:
    for record in records[::20]:
        if record.kind is not Kind.INVALID:
            assert judged(record) is None


def test_every_check_that_needs_no_other_schema_has_a_broken_record() -> None:
    assert set(Reason) - set(BREAKERS) == {
        Reason.SCHEMA_UNSUITABLE,
        Reason.TRAILING_BYTES,
        Reason.PROCESSING_FAILED,
        Reason.ROW_REFUSED,
        Reason.TOUCHPOINT_UNKNOWN,
        *OF_BODIES,
    }


def test_the_tally_adds_up(records: list[Record]) -> None:
    tally = Tally()
    for record in records:
        tally.add(record)
    summary = tally.summary()
    assert summary["stored"] + summary["duplicates"] + summary["rejected"] == summary["records"] == len(records)
    assert sum(summary["reasons"].values()) == summary["rejected"]
    assert sum(summary["event_types"].values()) == sum(summary["channels"].values()) == summary["stored"]


def test_calls_are_answered_and_end_after_they_were_queued(stored: list[Touchpoint]) -> None:
    calls: dict[str, list[Touchpoint]] = {}
    for touchpoint in stored:
        if touchpoint.event_type.startswith("call."):
            assert touchpoint.source_session
            calls.setdefault(touchpoint.source_session, []).append(touchpoint)
    whole = [call for call in calls.values() if call[0].event_type == "call.queued"]
    assert len(whole) > 300
    for call in whole:
        assert [t.occurred_at for t in call] == sorted(t.occurred_at for t in call)
    ended = [call[-1] for call in whole if call[-1].event_type == "call.ended"]
    assert all(t.agent and t.site and t.vendor and t.outcome and t.reason for t in ended)
    assert mean(t.duration_ms or 0 for t in ended) == pytest.approx(90_000, rel=0.35)


def test_promises_are_kept_by_the_time_they_are_due_and_broken_after_it(stored: list[Touchpoint]) -> None:
    fates = [t for t in stored if t.event_type in ("promise.kept", "promise.broken") and t.promise]
    assert len(fates) > 50
    for touchpoint in fates:
        assert touchpoint.promise is not None
        due = touchpoint.promise.due_at or 0
        assert (touchpoint.occurred_at <= due) == (touchpoint.event_type == "promise.kept")


def test_not_every_touchpoint_carries_the_strongest_identifier(stored: list[Touchpoint]) -> None:
    strong = sum(any(i.namespace == "customer" for i in t.identifiers) for t in stored)
    assert 0.2 < strong / len(stored) < 0.8


def test_calls_of_a_day_have_the_published_shape_and_unrest() -> None:
    days = [
        [len(in_bin(NOON - NOON % DAY_MS + day * DAY_MS + n * BIN_MS, 32_461, "1", "UTC")) for n in range(288)]
        for day in range(60)
    ]
    assert mean(map(sum, days)) == pytest.approx(32_461, rel=0.04)
    by_hour = [sum(sum(day[12 * hour : 12 * hour + 12]) for day in days) for hour in range(24)]
    assert by_hour.index(max(by_hour)) == 10
    assert by_hour[10] / sum(by_hour) == pytest.approx(0.105, abs=0.003)
    open_hours = [count for day in days for count in day[84:253]]
    assert variance(open_hours) / mean(open_hours) == pytest.approx(32, abs=5)
    ten = [count for day in days for count in day[120:132]]
    assert variance(ten) / mean(ten) > 2


def test_the_shape_holds_in_the_zone_of_the_day() -> None:
    at_ten_in_tokyo = NOON - NOON % DAY_MS + 3_600_000
    assert len(in_bin(at_ten_in_tokyo, 100_000, "1", "Asia/Tokyo")) > 5 * len(
        in_bin(at_ten_in_tokyo, 100_000, "1", "UTC")
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": -1.0},
        {"customers": 0},
        {"late": 1.0},
        {"duplicates": -0.1},
        {"duplicates": 0.6, "invalid": 0.6},
        {"duration_ms": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        replace(OPTIONS, **wrong)  # type: ignore[arg-type]
