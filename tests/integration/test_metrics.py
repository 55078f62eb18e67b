"""What the processes say of themselves on real servers, the probe of the whole path, and a worker that no longer gets on."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.metrics_page import BY_PROCESS
from tests.harness.installation import Installation, Maker
from tests.harness.scraping import fetched, scraped
from tests.harness.waiting import until

SERIES = {one.name for series in BY_PROCESS.values() for one in series}


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that probes itself every second."""
    maker = Maker(tmp_path_factory)
    try:
        yield maker(probe_interval_s="1").up()
    finally:
        maker.end()


def test_a_probe_goes_the_whole_way_and_what_went_it_adds_up(probed: Installation) -> None:
    addresses = probed.told("status")["metrics"]
    assert set(addresses) == {"resolve", "journey", "sink", "probe", "serve", "intake", "watch"}
    seen = ("touchstream_probes_total", "visible")
    until(lambda: scraped(addresses["probe"]).get(seen, 0) >= 3, 30, "three probes are seen")
    probes = scraped(addresses["probe"])
    assert probes["touchstream_probe_seconds_count", ""] >= 3
    assert probes["touchstream_probe_seconds_sum", ""] > 0
    assert probed.query("SELECT DISTINCT source, event_type, identifiers.value FROM touchpoints") == [
        ("touchstream", "probe.sent", ["installation"])
    ]
    probed.told("simulate", "--speed", "max", "--for", "4s", "--rate", "100", "--seed", "5")
    accounts = probed.told("reconcile")
    resolve = scraped(addresses["resolve"])
    verdicts = {label: n for (name, label), n in resolve.items() if name.endswith("verdicts_total")}
    assert verdicts["admitted"] >= accounts["stored"] > 350
    assert verdicts["duplicate"] >= accounts["duplicate"] > 0
    assert accounts["unexplained"] == 0
    journey, sink = scraped(addresses["journey"]), scraped(addresses["sink"])
    assert journey["touchstream_stage_records_total", ""] >= accounts["stored"]
    assert journey["touchstream_stage_open_lanes", ""] == 4
    assert journey["touchstream_stage_state_items", ""] >= probed.number("SELECT count() FROM customers FINAL") > 0
    assert sink["touchstream_sink_rows_total", "touchpoints"] >= accounts["stored"]
    assert sink["touchstream_sink_queryable_seconds_count", ""] > 0


def test_what_is_exposed_has_its_words_and_names_nobody(probed: Installation) -> None:
    addresses = probed.told("status")["metrics"]
    lag = ("touchstream_lag_seconds", "cx.rejected.v1")
    until(lambda: lag in scraped(addresses["sink"]), 60, "the sink knows its lag")
    for process, url in addresses.items():
        text = fetched(url)
        families = {family.name for family in text_string_to_metric_families(text)}
        assert {name for name in families if name.startswith("touchstream_")} <= SERIES, process
        assert not re.search(r"p_[0-9a-f]{8}|installation|@|\+\d{5}", text), process
        assert json.loads(fetched(url.replace("/metrics", "/healthz"))) == {"status": "alive"}
    targets = json.loads((probed.home / "run" / "prometheus.json").read_text())
    assert {one["labels"]["process"]: f"http://{one['targets'][0]}/metrics" for one in targets} == addresses


def test_a_worker_whose_fold_never_returns_ends_and_another_does_its_work(probed: Installation) -> None:
    said = probed.home.parent / "double.out"
    with said.open("w") as out:
        double = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.blocking_journey"],
            env=probed.environment | {"TOUCHSTREAM_WATCHDOG_S": "2"},
            stdout=out,
            stderr=out,
        )
    try:
        # The probes go on, but their one partition may stay with the other worker.
        until(lambda: ": open" in said.read_text() or double.poll() is not None, 30, "it has partitions")
        probed.told("simulate", "--speed", "max", "--for", "4s", "--rate", "100", "--seed", "6")
        assert double.wait(60) == 70, said.read_text()
    finally:
        double.kill()
        double.wait()
    last = said.read_text().splitlines()[-1]
    assert re.search(
        r"double: partition \d has made no progress for \d s, with \d+ records waiting: the process ends", last
    )
    assert probed.told("reconcile")["unexplained"] == 0
    restarts = {one["name"]: one["restarts"] for one in probed.told("status")["processes"]}
    assert set(restarts.values()) == {0}, "nobody else had a reason to end"
