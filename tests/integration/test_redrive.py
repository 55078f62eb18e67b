"""Rejected records are shown, and go back to their topics once: mended, killed in the midst of it, and asked for twice."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline import endpoints, rawlog, redriver
from pipeline.codec import Decoder
from pipeline.config import installation_secret
from pipeline.crash import REDRIVE_POINTS
from pipeline.events import Answer, Rejection
from pipeline.keys import Keyring
from pipeline.redriver import RedriveFailed
from pipeline.redrives import Place, Redriven, Sendable
from schemas.registry import FileRegistry
from tests.harness.installation import Installation
from tests.harness.records import encoded, written

TOPIC = "touchpoints.email.v1"
PATCH = '{"answer": {"scale_min": 0, "scale_max": 10}}'


def rejects(installation: Installation, count: int) -> dict[str, str]:
    """Answers on a scale that NPS does not have, rejected and in the tables: places by event id."""
    ids = [f"redrive-{uuid4().hex}" for _ in range(count)]
    now = time.time_ns() // 1_000_000
    values: list[bytes | None] = [encoded(one, now, one, answer=Answer("q", "nps", 1, 5, 4)) for one in ids]
    places = written(installation, TOPIC, values)
    installation.wait_idle()
    topic = installation.settings.topic_prefix + TOPIC
    return {one: f"{topic}-{partition}@{offset}" for one, (partition, offset) in zip(ids, places, strict=True)}


def on_the_topic(installation: Installation, ids: set[str]) -> Counter[str]:
    """How often each lies on the topic as it is after the patch, read committed."""
    decoder = Decoder("touchpoint", FileRegistry())
    log = rawlog.read(endpoints.kafka(installation.settings), [installation.settings.topic_prefix + TOPIC])
    records = [decoder.decode(raw.value) for raw in log.records]
    return Counter(
        one["event_id"]
        for one in records
        if not isinstance(one, Rejection) and one["event_id"] in ids and one["answer"]["scale_max"] == 10
    )


def stored(installation: Installation, ids: set[str]) -> set[tuple[Any, ...]]:
    sql = "SELECT event_id, answer_scale_max, count() FROM touchpoints WHERE event_id IN %(ids)s GROUP BY ALL"
    return set(installation.query(sql, {"ids": tuple(ids)}))


@pytest.fixture
def patch(tmp_path: Path) -> str:
    path = tmp_path / "patch.json"
    path.write_text(PATCH)
    return str(path)


def statuses(done: Any) -> dict[str, str]:
    return {one["place"]: one["status"] for one in json.loads(done.stdout)["records"]}


def test_mended_records_go_back_once_and_all_adds_up(shared: Installation, patch: str) -> None:
    places = rejects(shared, 3)
    topic = shared.settings.topic_prefix + TOPIC
    ((partition, offset),) = written(shared, TOPIC, [b"no touchpoint"])
    shared.wait_idle()
    hopeless = f"{topic}-{partition}@{offset}"
    which = [*places.values(), hopeless]

    listed = shared.told("rejected", "list", "--topic", TOPIC, "--since", "1h", "--limit", "100", "--json")
    assert set(which) <= {one["place"] for one in listed["rejected"]}
    (shown,) = shared.told("rejected", "show", which[0], "--json")
    assert (shown["reason"], shown["record"]["event_id"], shown["attempt"]) == ("scale_invalid", next(iter(places)), 1)
    (raw,) = shared.told("rejected", "show", hopeless, "--json")
    assert (raw["reason"], bytes.fromhex(raw["begins_with"])) == ("magic", b"no touchpoint")

    as_it_is = shared.run("rejected", "redrive", *which, "--json")
    assert as_it_is.returncode == 1
    assert set(statuses(as_it_is).values()) == {"unsendable"}
    looked = shared.run("rejected", "redrive", *which, "--patch", patch, "--dry-run", "--json")
    expected = {**dict.fromkeys(places.values(), "sendable"), hopeless: "unsendable"}
    assert (looked.returncode, statuses(looked)) == (1, expected)
    assert not on_the_topic(shared, set(places))

    sent = shared.run("rejected", "redrive", *which, "--patch", patch, "--json")
    expected = {**dict.fromkeys(places.values(), "sent"), hopeless: "unsendable"}
    assert (sent.returncode, statuses(sent)) == (1, expected)
    shared.wait_idle()
    assert stored(shared, set(places)) == {(one, 10, 1) for one in places}
    assert shared.told("reconcile", "--json")["unexplained"] == 0

    for more in ((), ("--dry-run",)):
        as_it_was = shared.run("rejected", "redrive", *which, *more, "--json")
        told = {**dict.fromkeys(places.values(), "sent_before"), hopeless: "unsendable"}
        assert (as_it_was.returncode, statuses(as_it_was)) == (1, told), (
            "sent before, though as it is it would not be taken"
        )
    again = shared.run("rejected", "redrive", *places.values(), "--patch", patch)
    assert again.returncode == 1
    assert again.stdout.count("was sent at") == 3
    assert set(on_the_topic(shared, set(places)).values()) == {1}
    (shown,) = shared.told("rejected", "show", which[0], "--json")
    assert shown["sent_to"].startswith(topic)


@pytest.mark.parametrize("point", REDRIVE_POINTS)
def test_a_redrive_that_is_killed_is_begun_again_and_sends_each_once(
    shared: Installation, patch: str, point: str
) -> None:
    places = rejects(shared, 3)
    command = ("rejected", "redrive", *places.values(), "--patch", patch, "--json")
    killed = shared.run(*command, crash_at=f"redrive:{point}:1")
    assert killed.returncode == -signal.SIGKILL
    again = shared.run(*command)
    assert set(statuses(again).values()) == {"sent_before" if point == "committed" else "sent"}
    assert on_the_topic(shared, set(places)) == Counter(places.keys())


def test_who_begins_later_ends_a_redrive_that_is_at_work(shared: Installation, patch: str) -> None:
    places = rejects(shared, 2)
    first, second = places.values()
    heard: list[tuple[str, bool]] = []

    def chunks() -> Any:
        """Finds that another redrive has sent everything when the second chunk is asked for."""
        for place in (first, second):
            head, _, offset = place.rpartition("@")
            topic, _, partition = head.rpartition("-")
            yield [
                Sendable(Place(topic, int(partition), int(offset)), topic, own_key(place), mended(place), patched=True)
            ]
            if place == first:
                other = shared.run("rejected", "redrive", first, second, "--patch", patch, "--json")
                assert statuses(other) == {first: "sent_before", second: "sent"}

    def name(place: str) -> str:
        return next(one for one, at in places.items() if at == place)

    def own_key(place: str) -> bytes:
        """That of its identifier: under another one the stage would send it on."""
        return Keyring(installation_secret(shared.settings)).cell("customer", name(place)).encode()

    def mended(place: str) -> bytes:
        event_id = name(place)
        return encoded(event_id, time.time_ns() // 1_000_000, event_id, answer=Answer("q", "nps", 0, 10, 4))

    def hear(place: Place, _: Redriven | None, now: bool) -> None:
        heard.append((str(place), now))

    with pytest.raises(RedriveFailed, match="another redrive has begun"):
        redriver.redrive(shared.settings, chunks(), lambda: 1, hear)
    assert heard == [(first, True)]
    assert on_the_topic(shared, set(places)) == Counter(places.keys())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["redrive"], 64, "say which"),
        (["redrive", "--all", "--reason", "nonsense"], 64, "no such reason: nonsense"),
        (["redrive", "a-1@2", "--all"], 64, "say which"),
        (["redrive", "a-1@2", "b-1@2", "--replace", "x"], 64, "--replace goes with one place"),
        (["redrive", "web"], 64, "is no place of a record"),
        (["redrive", "a-1@2", "--patch", "missing.json"], 64, "cannot read missing.json"),
        (["show", "cx.touchpoints.web.v1-0@999999999"], 65, "no rejected record has come from"),
        (["list", "--since", "yesterday"], 64, "is no time"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    shared: Installation, arguments: list[str], code: int, said: str
) -> None:
    done = shared.run("rejected", *arguments)
    assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (code, True, 1)
