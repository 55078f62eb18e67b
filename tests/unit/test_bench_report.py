"""Figures of the bench: medians, percentiles, processor time, made-up records, and the page of results."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.codec import Decoder
from schemas.registry import FileRegistry
from tests.bench import meter, probes, report
from tests.bench.inputs import Wanted, touchpoints
from tests.bench.session import Options, told
from tests.bench.stats import Spread, between, grouped, percentile, spread

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 8, "versions": {"python": "3.11"}}


def test_spread_and_percentile_take_values_that_were_measured() -> None:
    """Nearest rank; nothing is made up between two values, but the median of an even number."""
    assert spread([3, 1, 2]) == Spread(2, 1, 3, 3)
    assert [percentile(range(1, 101), share) for share in (0.5, 0.99, 0.999)] == [50, 99, 100]
    assert percentile([7], 0.5) == 7
    with pytest.raises(ValueError, match="no rounds"):
        spread([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_between_samples_lies_a_straight_line() -> None:
    """And before the first and after the last sample nothing moves."""
    samples = [(10.0, 1.0), (20.0, 3.0)]
    assert [between(samples, at) for at in (5, 10, 15, 20, 99)] == [1, 1, 2, 3, 3]


def test_grouping_keeps_the_order() -> None:
    """Of first appearance."""
    runs = [{"a": 2}, {"a": 1}, {"a": 2, "b": 3}]
    assert grouped(runs, "a") == {(2,): [{"a": 2}, {"a": 2, "b": 3}], (1,): [{"a": 1}]}


def test_the_meter_sees_this_process() -> None:
    """Its time and its memory; a process that is gone counts nothing."""
    assert os.getpid() in meter.tree(os.getpid())
    seconds, resident = meter.used([os.getpid()])
    assert seconds > 0
    assert resident > 1 << 20
    assert meter.used([2**22 + 1]) == (0.0, 0)


def test_fast_records_are_touchpoints() -> None:
    """Put together from parts, they read as what the encoder would have written."""
    registry = FileRegistry()
    start = probes.wire_head(registry.schema_id("touchpoint", ""))
    at = 1_767_225_600_123
    for touchpoint in touchpoints(Wanted(300)):
        before, after = probes.around(start, probes.template(touchpoint), "event", "S1")
        record = Decoder("touchpoint", registry).decode(before + probes.times(at) + after)
        assert isinstance(record, dict)
        assert (record["event_id"], record["occurred_at"], record["received_at"]) == ("event", at, at)
        assert record["identifiers"] == [{"namespace": "customer", "value": "S1"}]
        assert record["channel"] == touchpoint.channel
        assert record["attributes"] == touchpoint.attributes
        assert record["source_session"] == touchpoint.source_session


def test_probes_say_when_they_were_meant_to_be_sent() -> None:
    """By their id."""
    assert probes.intended(probes.probe_id("abc", 1_767_225_600_123, 7)) == 1_767_225_600_123


@pytest.mark.parametrize(("last", "steady"), [(0.4, True), (0.6, True), (0.7, False), (2.0, False)])
def test_latency_is_flat_when_it_does_not_grow(last: float, steady: bool) -> None:
    """A tenth and 0.3 s more are noise."""
    latencies = [(float(n), 0.3 if n < 20 else last) for n in range(30)]
    assert probes.flat(latencies, 30.0) is steady
    assert not probes.flat([], 30.0)


def _run(name: str, per_core: float, **more: Any) -> dict[str, Any]:
    run = {"workload": "peers", "system": name, "job": "journey", "events": 9793, "equal": True, "load_before": 0.5}
    return {**run, "events_per_s": per_core, "events_per_core_s": per_core, "peak_bytes": 100e6, **more}


def test_a_figure_counts_only_with_equal_answers(tmp_path: Path) -> None:
    """One that failed or answered otherwise has none on the page."""
    runs = [
        *(_run("touchstream", figure) for figure in (30_000, 32_000, 31_000)),
        _run("another", 99_999, equal=False, differences=["p: no answer"]),
        {"workload": "peers", "system": "a third", "job": "journey", "failed": "it ended by itself: why"},
    ]
    (tmp_path / "peers-20260101T000000Z.json").write_text(json.dumps({"machine": MACHINE, "runs": [_run("old", 1)]}))
    (tmp_path / "peers-20260102T000000Z.json").write_text(json.dumps({"machine": MACHINE, "command": [], "runs": runs}))
    target = tmp_path / "RESULTS.md"
    report.main([str(tmp_path), str(target)])
    page = target.read_text()
    assert "| touchstream | 3 | 31 000 (30 000 to 32 000) | 31 000 (30 000 to 32 000) |" in page
    assert "99 999" not in page
    assert "does not count: they differ" in page
    assert "does not count: it ended by itself" in page
    assert "| old |" not in page
    assert "Load average before the runs: 0.5 to 0.5" in page


def test_the_page_of_the_other_workloads() -> None:
    """Sink, pipeline and restore."""
    trial = {"system": "t", "rate": 2000.0, "p50_s": 0.3, "p99_s": 0.8, "p99.9_s": 1.25, "flat": True}
    restart = {"system": "from the changelog", "persons": 1000, "resident_bytes": 10**8, "bytes_per_person": 600}
    page = report.written(
        [
            {
                "name": "sink",
                "machine": MACHINE,
                "runs": [{"system": "the sink", "rows_per_s": 1e5, "rows_per_core_s": 6e4, "peak_bytes": 1e8}],
            },
            {
                "name": "pipeline",
                "machine": MACHINE,
                "runs": [
                    {"workload": "pipeline latency", **trial},
                    {"workload": "pipeline rate", **trial, "rate": 8000.0, "flat": False},
                    {"workload": "pipeline highest rate", "highest_flat_rate": 4000.0},
                ],
            },
            {
                "name": "restore",
                "machine": MACHINE,
                "runs": [{**restart, "first_output_s": 1.5, "all_partitions_s": 2.0, "packed_bytes_per_person": 300}],
            },
        ]
    )
    assert "| the sink | 100 000 | 60 000 | 100 |" in page
    assert "| 2 000 a second | 1 | 0.300 | 0.800 | 1.250 | yes |" in page
    assert "| 8 000 a second | 1 | 0.300 | 0.800 | 1.250 | no |" in page
    assert "Highest rate tried with flat latency: 4,000 records a second." in page
    assert "| from the changelog | 1 000 | 1.50 | 2.00 | 600 | 300 | 100 |" in page


def test_progress_in_one_line() -> None:
    """Figures, or why there are none."""
    assert told({"system": "x", "failed": "no"}) == "x: failed: no"
    assert told({"system": "x", "seconds": 1.5, "equal": True, "at": 5}) == "x: seconds 1.5"
    assert "ANSWERS DIFFER: p: no answer" in told({"system": "x", "equal": False, "differences": ["p: no answer"]})


def test_quick_keeps_small_sizes_of_state() -> None:
    """A million persons are not a quick look."""
    assert Options(Path()).quick().persons == (10_000, 100_000)
    assert Options(Path(), persons=(500_000,)).quick().persons == (500_000,)


def test_probes_are_looked_for_from_the_first_one_that_is_missing() -> None:
    """Later ones that came before it do not count."""
    seen = [probes.probe_id("r", 1000 + index, index) for index in (0, 10, 20, 40)]
    assert probes.all_seen_until(seen, 10) == 1020
    assert probes.all_seen_until(seen[1:], 10) == 0
    assert probes.all_seen_until([], 10) == 0
    assert [probes.spacing(rate) for rate in (10_000.0, 2000.0, 5.0)] == [500, 100, 1]
