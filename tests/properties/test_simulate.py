"""The generator depends on its options alone."""

from dataclasses import replace
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events import Touchpoint
from pipeline.simulate import Kind, Options, Simulation

OPTIONS = st.builds(
    Options,
    start=st.integers(0, 4_000_000_000_000),
    seed=st.integers(0, 2**64),
    rate=st.floats(0.01, 100_000),
    duration_ms=st.none() | st.integers(1, 10_000_000),
    customers=st.integers(1, 60),
    duplicates=st.floats(0, 0.4),
    late=st.floats(0, 0.9),
    invalid=st.floats(0, 0.4),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]),
)


@settings(max_examples=25, deadline=None)
@given(OPTIONS)
def test_equal_options_give_equal_records(options: Options) -> None:
    records = list(islice(Simulation(options), 150))
    assert records == list(islice(Simulation(options), 150))
    assert records[0].kind in (Kind.ON_TIME, Kind.LATE)
    if options.duration_ms is not None:
        assert len(records) <= options.duration_ms * options.rate / 1000 + 1
        longer = replace(options, duration_ms=options.duration_ms + 60_000)
        assert list(islice(Simulation(longer), len(records))) == records


@settings(max_examples=25, deadline=None)
@given(OPTIONS)
def test_nothing_is_ever_later_than_its_record(options: Options) -> None:
    for number, record in enumerate(islice(Simulation(options), 150)):
        if record.kind is Kind.ON_TIME and isinstance(record.content, Touchpoint):
            assert record.content.occurred_at <= options.start + int(number * 1000 / options.rate)
