"""Sources that write to Kafka by themselves, as the examples of the docs do, under any key and with any partitioner."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer

from pipeline import config
from pipeline.codec import head
from pipeline.codec.reference import Bodies
from pipeline.keys import Keyring
from pipeline.partitions import partition_of
from schemas.registry import catalogue_of_files, load
from tests.harness.installation import Installation, Maker
from tests.harness.records import encoded
from tests.harness.touchpoints import touchpoint
from tests.harness.waiting import until
from tests.integration.test_intake import now

ROOT = Path(__file__).parents[2]
CUSTOMER = {"namespace": "customer", "value": "both-1"}
CALL = "cx.touchpoints.call.v1"
REGISTERED = str(ROOT / "schemas" / "touchpoint" / "1.avsc")


def example(installation: Installation, *command: str) -> str:
    """Run an example as its reader would; what it said."""
    path = f"{Path(sys.executable).parent}:{installation.environment['PATH']}"
    environment = {**installation.environment, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def calls(installation: Installation) -> int:
    """How many calls of the examples' source are stored."""
    return installation.number("SELECT count() FROM touchpoints FINAL WHERE source = 'pbx-north'")


def test_the_example_in_python_is_stored_once(shared: Installation) -> None:
    """It knows nothing of our keys; its record comes to its own partition all the same."""
    before = calls(shared)
    said = example(shared, sys.executable, "docs/examples/kafka_source.py", shared.bootstrap(), REGISTERED)
    assert said.startswith(f"{CALL}-")
    until(lambda: calls(shared) == before + 1, 30, "the call is in ClickHouse")


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed here")
def test_the_example_with_kcat_is_stored_once(shared: Installation) -> None:
    """Its default partitioner is another than ours."""
    before = calls(shared)
    example(shared, "sh", "docs/examples/kcat_source.sh", shared.bootstrap())
    until(lambda: calls(shared) == before + 1, 30, "the call is in ClickHouse")


def test_the_example_over_http_is_told_its_verdicts(shared: Installation) -> None:
    """Two are stored, the third is no touchpoint."""
    key = shared.told("keys", "add", "http-example")["key"]
    said = example(shared, sys.executable, "docs/examples/http_source.py", key)
    assert said.splitlines()[0] == "field_malformed occurred_at"
    assert "accepted=2" in said
    assert "rejected=1" in said


def test_the_same_event_in_every_partition_counts_once(shared: Installation) -> None:
    """All but the one in its own partition are sent on, known there, and accounted for as that."""
    partitions = shared.settings.topic_partitions
    producer = KafkaProducer(bootstrap_servers=shared.bootstrap(), acks="all")
    for number in range(20):
        value = encoded(f"direct-{number}", now(), f"direct-person-{number}", source="direct")
        for partition in range(partitions):
            producer.send("cx.touchpoints.web.v1", value, key=b"none of ours", partition=partition)
    producer.flush()
    producer.close()
    stored = "SELECT event_id, source_partition FROM touchpoints WHERE source = 'direct'"
    until(lambda: len(shared.query(stored)) >= 20, 30, "all are in ClickHouse")
    found = shared.told("reconcile")
    assert found["unexplained"] == 0
    assert found["rekeyed"] >= 20 * (partitions - 1)
    keyring = Keyring(config.installation_secret(shared.settings))
    homes = {
        f"direct-{n}": partition_of(keyring.cell("customer", f"direct-person-{n}").encode(), partitions)
        for n in range(20)
    }
    assert dict(shared.query(stored)) == homes
    assert len(shared.query(stored)) == 20
    sums = "SELECT sum(touchpoints) FROM customers FINAL WHERE person IN (SELECT person FROM touchpoints WHERE source = 'direct')"
    until(lambda: shared.number(sums) == 20, 30, "every person has one touchpoint")


def test_a_topic_of_which_all_is_rejected_is_taken_a_little_at_a_time(make: Maker) -> None:
    """Nothing is lost by it, the other partitions go on, and what is good behind the junk comes in the end."""
    installation = make(breaker_run="150", breaker_pause_s="1", batch_records="100").up()
    producer = KafkaProducer(bootstrap_servers=installation.bootstrap(), acks="all")
    junk = [producer.send("cx.touchpoints.app.v1", b"junk %d" % n, partition=0) for n in range(500)]
    cells = Keyring(config.installation_secret(installation.settings)).cell
    people = [f"p-{n}" for n in range(100)]
    home = {
        one: partition_of(cells("customer", one).encode(), installation.settings.topic_partitions) for one in people
    }
    behind, beside = (next(one for one in people if (home[one] == 0) is here) for here in (True, False))
    for person in (behind, beside):
        value = encoded(f"app-{person}", now(), person, channel="app", source="sound")
        producer.send("cx.touchpoints.app.v1", value, partition=home[person])
    producer.flush()
    producer.close()
    stored = "SELECT event_id FROM touchpoints WHERE source = 'sound'"
    until(lambda: ("app-" + beside,) in installation.query(stored), 30, "the other partition goes on")
    until(lambda: "nothing more is taken of cx.touchpoints.app.v1" in installation.log(), 10, "it is stopped")
    until(lambda: ("app-" + behind,) in installation.query(stored), 60, "what is good behind the junk is stored")
    offsets = {one.get().offset for one in junk}
    rejected = (
        "SELECT source_offset FROM rejected WHERE source_topic = 'cx.touchpoints.app.v1' AND source_partition = 0"
    )
    until(lambda: len(installation.query(rejected)) >= 500, 30, "all junk is rejected")
    found = [row[0] for row in installation.query(rejected)]
    assert (set(found), len(found)) == (offsets, 500)
    assert "cx.touchpoints.app.v1 is taken again" in installation.log()
    assert installation.told("reconcile")["unexplained"] == 0


def test_both_versions_of_a_touchpoint_come_to_the_same_table(shared: Installation) -> None:
    """While both flow: what the first version does not have is NULL, and what the second has is in its column."""
    producer = KafkaProducer(bootstrap_servers=shared.bootstrap(), acks="all")
    schemas = {n: Bodies(load("touchpoint", n)) for n in (1, 2)}
    ids = {version: number for number, (record, version) in catalogue_of_files().items() if record == "touchpoint"}
    for number in range(200):
        version = 1 + number % 2
        record = touchpoint(
            event_id=f"both-{number}", source="both", occurred_at=now(), waited_ms=number, identifiers=[CUSTOMER]
        )
        if version == 1:
            del record["waited_ms"]
        producer.send("cx.touchpoints.web.v1", schemas[version].one(record, head(ids[version])))
    producer.flush()
    producer.close()
    sql = "SELECT event_id, waited_ms FROM touchpoints FINAL WHERE source = 'both'"
    until(lambda: len(shared.query(sql)) == 200, 30, "all are in ClickHouse")
    assert dict(shared.query(sql)) == {f"both-{n}": n if n % 2 else None for n in range(200)}
    assert shared.told("reconcile")["unexplained"] == 0
    assert [one["different"] for one in shared.told("recompute")["tables"] if one["table"] == "touchpoints"] == [0]
