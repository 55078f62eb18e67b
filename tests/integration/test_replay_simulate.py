"""`touchstream replay` and `touchstream simulate` as a user runs them, on a real broker, and what then lies on Kafka."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.kafka import EmbeddedKafka, KafkaOptions
from pipeline.config import PREFIX, Settings
from pipeline.events import Rejection, Touchpoint
from pipeline.replay.datasets import DatasetError, fetched, listed
from tests.harness.inputs import environment, found, fresh, held
from tests.harness.mappings import expected
from tests.harness.waiting import until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TOUCHSTREAM = [sys.executable, "-m", "pipeline.cli.main"]
MINUTES_30 = 1_800_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(KafkaOptions(tmp_path_factory.mktemp("replay"), heap_mb=256)) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose data sets are there, downloaded at first use."""
    given = os.environ.get("TOUCHSTREAM_TEST_HOME")
    made = Path(given) if given else tmp_path_factory.mktemp("home")
    try:
        for dataset in listed().values():
            fetched(dataset, made / "datasets")
    except DatasetError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no package index: {error}")
    return made


@pytest.fixture
def settings(kafka: EmbeddedKafka, tmp_path: Path) -> Settings:
    return fresh(kafka.bootstrap, tmp_path)


def started(settings: Settings, *arguments: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = [*TOUCHSTREAM, *arguments]
    return subprocess.Popen(
        command, env=kept | environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def told(settings: Settings, *arguments: str) -> Any:
    """The JSON that a command prints when it ends well."""
    code, out, err = ended(started(settings, *arguments, "--json"))
    assert code == 0, err
    return json.loads(out)


def touchpoints(settings: Settings) -> list[Touchpoint]:
    decoded = [record.touchpoint() for record in found(settings)]
    assert not [one for one in decoded if isinstance(one, Rejection)]
    return [one for one in decoded if isinstance(one, Touchpoint)]


def test_all_purchases_arrive_to_the_cent(kafka: EmbeddedKafka, home: Path) -> None:
    settings = fresh(kafka.bootstrap, home)
    summary = told(settings, "replay", "cdnow")
    assert summary["sent"] == summary["acknowledged"] == summary["fitted"] == 69_659
    assert summary["event_types"] == {"order.paid": 69_659}
    stored = touchpoints(settings)
    assert len({one.event_id for one in stored}) == 69_659
    assert len({one.identifiers[0].value for one in stored}) == 23_570
    assert sum(one.amount.minor_units for one in stored if one.amount) == 250_031_563
    assert sum(int(one.attributes["quantity"]) for one in stored) == 167_881
    first, last = min(stored, key=lambda t: t.occurred_at), max(stored, key=lambda t: t.occurred_at)
    assert (first.occurred_at // 86_400_000, last.occurred_at // 86_400_000) == (9_862, 10_407)


def test_all_clicks_arrive_and_a_gap_of_30_minutes_finds_the_labelled_sessions(
    kafka: EmbeddedKafka, home: Path
) -> None:
    settings = fresh(kafka.bootstrap, home)
    summary = told(settings, "replay", "ecom")
    assert summary["sent"] == summary["acknowledged"] == 31_106
    assert len(summary["event_types"]) == 19
    assert (summary["event_types"]["product.viewed"], summary["event_types"]["checkout.failed"]) == (6_851, 44)
    stored = touchpoints(settings)
    users: dict[str, list[Touchpoint]] = {}
    for one in sorted(stored, key=lambda t: (t.occurred_at, t.source_sequence or 0)):
        users.setdefault(one.identifiers[0].value, []).append(one)
    assert len(users) == 600
    sessions = 0
    for clicks in users.values():
        labels = [one.attributes["session"] for one in clicks]
        gaps = [b.occurred_at - a.occurred_at > MINUTES_30 for a, b in pairwise(clicks)]
        assert gaps == [a != b for a, b in pairwise(labels)]
        sessions += 1 + sum(gaps)
    assert sessions == 3_605


def test_a_replay_of_the_same_gives_the_same_ids_and_a_limit_is_kept(kafka: EmbeddedKafka, home: Path) -> None:
    settings = fresh(kafka.bootstrap, home)
    assert told(settings, "replay", "ecom", "--limit", "500")["sent"] == 500
    assert told(settings, "replay", "ecom", "--limit", "500")["sent"] == 500
    assert set(Counter(one.event_id for one in touchpoints(settings)).values()) == {2}


def test_a_file_with_a_mapping_says_what_did_not_fit_and_where(settings: Settings, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    example = [str(EXAMPLES / "survey.csv"), "--mapping", str(EXAMPLES / "survey.toml")]
    code, out, err = ended(started(settings, "replay", *example, "--rejects", str(rejects)))
    assert code == 0
    assert "sent 7 touchpoints" in out
    assert "3 of 7 rows do not fit:" in err
    assert "line 7: answer.value: not between 0 and 10" in err
    assert len(rejects.read_text().splitlines()) == 3
    assert Counter(one.answer.metric for one in touchpoints(settings) if one.answer) == {"nps": 2, "csat": 2, "ces": 3}


def test_a_ready_mapping_is_called_by_its_name(settings: Settings) -> None:
    code, out, err = ended(started(settings, "replay", str(EXAMPLES / "segment.jsonl"), "--mapping", "segment"))
    assert code == 0
    assert "sent 7 touchpoints" in out
    assert "line 3: amount.currency: not in the map" in err
    types = {one["touchpoint"]["event_type"] for row in expected("segment") for one in row["touchpoints"]}
    assert {one.event_type for one in touchpoints(settings)} == types


def test_a_file_that_breaks_off_is_sent_as_far_as_it_goes(settings: Settings, tmp_path: Path) -> None:
    whole = subprocess.run(["gzip", "-c", str(EXAMPLES / "asterisk.csv")], capture_output=True, check=True).stdout
    broken = tmp_path / "calls.csv.gz"
    broken.write_bytes(whole[:-12])
    code, out, err = ended(started(settings, "replay", str(broken), "--mapping", "asterisk"))
    assert code == 65
    assert "breaks off" in err
    assert f"sent {held(settings)} touchpoints" in out


def judged(settings: Settings) -> Counter[str]:
    """What the pipeline has to make of the records: stored, duplicate, or broken bytes."""
    seen: set[str] = set()
    kinds: Counter[str] = Counter()
    for record in found(settings):
        decoded = record.touchpoint()
        if isinstance(decoded, Rejection):
            kinds[decoded.reason.value] += 1
        else:
            kinds["duplicate" if decoded.event_id in seen else "new"] += 1
            seen.add(decoded.event_id)
    return kinds


def test_a_simulation_says_exactly_what_it_sent(settings: Settings, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    arguments = ["--for", "2m", "--speed", "max", "--invalid", "0.02", "--truth", str(truth)]
    summary = told(settings, "simulate", *arguments, "--start", "2026-03-02T09:00:00Z")
    expected = summary["expected"]
    assert summary["sent"] == summary["acknowledged"] == expected["records"] == held(settings) == 6_000
    kinds = judged(settings)
    undecodable = ("decode", "empty", "magic", "schema_unknown")
    assert {reason: kinds[reason] for reason in undecodable} == {
        reason: expected["reasons"][reason] for reason in undecodable
    }
    # Records without an event id look alike to this simple count; all but the first count as duplicates here.
    nameless = expected["reasons"]["event_id_missing"]
    assert kinds["duplicate"] == expected["duplicates"] + nameless - 1
    written = json.loads(truth.read_text())
    assert written["surveys"]["nps"]["propensity_by_answer"]["0"] == 0.52
    assert (written["seed"], written["population"]["customers"]) == (1, 2_000)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_live_simulation_is_stopped_cleanly(settings: Settings, number: signal.Signals, code: int) -> None:
    process = started(settings, "simulate", "--rate", "200", "--customers", "50", "--json")
    until(lambda: held(settings) > 100 or process.poll() is not None, 60, "a hundred records")
    process.send_signal(number)
    ended_with, out, err = ended(process)
    assert ended_with == code, err
    summary = json.loads(out)
    assert summary["stopped_by"] == int(number)
    assert summary["sent"] == summary["acknowledged"] == summary["expected"]["records"] == held(settings)


def test_a_second_signal_does_not_wait_for_a_broker_that_stands_still(kafka: EmbeddedKafka, settings: Settings) -> None:
    process = started(settings, "simulate", "--rate", "200", "--customers", "50")
    until(lambda: held(settings) > 100 or process.poll() is not None, 60, "a hundred records")
    assert kafka.pid is not None
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert code == 69
    assert re.search(r"stopped at once; \d+ records are acknowledged, \d+ may be lost", err)


def test_a_live_simulation_that_cannot_keep_up_says_so(settings: Settings) -> None:
    code, out, err = ended(started(settings, "simulate", "--rate", "400000", "--for", "50ms", "--customers", "20"))
    assert code == 0
    assert "sent 20,000 records" in out
    assert err == "" or "fell behind" in err


def test_without_a_broker_one_line_says_what_to_do(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept |= {PREFIX + "HOME": str(tmp_path / "empty")}
    done = subprocess.run(
        [*TOUCHSTREAM, "simulate", "--for", "1s"], env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 69
    assert done.stderr.splitlines() == [
        "touchstream: no Kafka is known: start one with `touchstream up`, or name yours in TOUCHSTREAM_KAFKA_BOOTSTRAP"
    ]
