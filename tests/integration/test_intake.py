"""HTTP in, ClickHouse out: every form of body, every refusal, keys that come and go, and a broker that is away."""

import gzip
import io
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest

from deploy.embedded.ports import pick
from pipeline import endpoints, rawlog, ready
from pipeline.client import IntakeRefused, Spilling, Touchpoints
from pipeline.codec import Decoder, plain
from pipeline.events import Raw
from schemas.registry import FileRegistry, load
from tests.faults.intake import KEY, Plan, run
from tests.harness.installation import TOUCHSTREAM, Installation, Maker
from tests.harness.rig import Rig, settings_of
from tests.harness.touchpoints import touchpoint, wire
from tests.harness.waiting import until

JSON = "application/json"


def now() -> int:
    """Milliseconds since epoch, UTC."""
    return time.time_ns() // 1_000_000


def event(event_id: str, **changes: Any) -> dict[str, Any]:
    """A good event but for what `changes` says."""
    whole = {
        "event_id": event_id,
        "event_type": "page.viewed",
        "channel": "web",
        "occurred_at": now(),
        "identifiers": [{"namespace": "customer", "value": "intake-1"}],
    }
    return {**whole, **changes}


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody with a key, as `touchstream keys add` tells of it."""

    url: str
    key: dict[str, Any]

    @property
    def source(self) -> str:
        """The key's source."""
        return str(self.key["source"])

    def post(self, body: bytes, kind: str = JSON, **headers: str) -> httpx.Response:
        """Send a body with the key."""
        given = {"Authorization": f"Bearer {self.key['key']}", "Content-Type": kind, **headers}
        return httpx.post(f"{self.url}/v1/touchpoints", content=body, headers=given, timeout=30)

    def events(self, *events: Any) -> httpx.Response:
        """Send events as a JSON list."""
        return self.post(json.dumps(events).encode())


def with_key(installation: Installation, source: str, *options: str) -> Sender:
    """Somebody who is given a key."""
    url = endpoints.known(installation.settings).intake
    assert url
    return Sender(url, installation.told("keys", "add", source, *options))


@pytest.fixture(scope="module")
def sender(shared: Installation) -> Sender:
    """A source for the tests that only send."""
    return with_key(shared, "intake-tests", "--origin", "https://shop.example")


def verdicts(answer: httpx.Response) -> list[tuple[str, str | None]]:
    """Status and reason of each event."""
    return [(one["status"], one.get("reason")) for one in answer.json()["events"]]


def stored(installation: Installation, like: str) -> dict[str, tuple[str, int]]:
    """Source and number of rows of the events whose ids begin so."""
    rows = installation.query(
        "SELECT event_id, any(source), count() FROM touchpoints WHERE startsWith(event_id, %(like)s) GROUP BY event_id",
        {"like": like},
    )
    return {name: (source, count) for name, source, count in rows}


def container(*records: dict[str, Any]) -> bytes:
    """An Avro file."""
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(plain(load("touchpoint"))), records, codec="deflate")
    return out.getvalue()


def test_every_form_comes_in_and_is_stored_once(shared: Installation, sender: Sender) -> None:
    """One, a list, lines, text of a beacon, gzipped, Avro by itself and as a file; each twice, and counted once."""
    as_avro = {"occurred_at": now(), "source": ""}
    bodies: list[tuple[bytes, str, dict[str, str]]] = [
        (json.dumps(event("form-one")).encode(), JSON, {}),
        (json.dumps([event("form-list-1"), event("form-list-2")]).encode(), JSON, {}),
        (b"\n".join(json.dumps(event(f"form-line-{n}")).encode() for n in (1, 2)), "application/x-ndjson", {}),
        (json.dumps(event("form-beacon")).encode(), "text/plain;charset=UTF-8", {"Origin": "https://shop.example"}),
        (gzip.compress(json.dumps(event("form-gzip")).encode()), JSON, {"Content-Encoding": "gzip"}),
        (wire(touchpoint(event_id="form-avro", **as_avro)), "application/avro", {}),
        (container(*(touchpoint(event_id=f"form-file-{n}", **as_avro) for n in (1, 2))), "application/avro", {}),
    ]
    expected = {"form-one", "form-list-1", "form-list-2", "form-line-1", "form-line-2", "form-beacon", "form-gzip"}
    expected |= {"form-avro", "form-file-1", "form-file-2"}
    for body, kind, headers in bodies:
        first, second = sender.post(body, kind, **headers), sender.post(body, kind, **headers)
        assert (first.status_code, second.status_code) == (202, 202), first.text + second.text
        assert {status for status, _ in verdicts(first)} == {"accepted"}
        assert {status for status, _ in verdicts(second)} == {"duplicate"}
    until(lambda: len(stored(shared, "form-")) == len(expected), 30, "all are in ClickHouse")
    assert stored(shared, "form-") == dict.fromkeys(expected, (sender.source, 1))
    (received,) = shared.query(
        "SELECT min(received_at) > now64(3) - 60 FROM touchpoints WHERE startsWith(event_id, 'form-')"
    )
    assert received == (1,)


def test_a_bad_event_costs_itself_alone_and_is_kept(shared: Installation, sender: Sender) -> None:
    """With its bytes and its reason; a body that cannot be split is kept whole."""
    bad = event("mixed-2", answer={"question": "q", "metric": "nps", "scale_min": 0, "scale_max": 10, "value": 11})
    answer = sender.events(event("mixed-1"), bad, event("mixed-3"), event("mixed-1"), "no event")
    assert answer.status_code == 202
    reasons = [("accepted", None), ("rejected", "value_out_of_scale"), ("accepted", None), ("duplicate", None)]
    assert verdicts(answer) == [*reasons, ("rejected", "field_malformed")]
    told = answer.json()["events"][1]
    assert (told["event_id"], told["field"], told["expected"], told["got"]) == ("mixed-2", "answer.value", "0-10", "11")
    assert sender.events(bad).status_code == 422
    whole = sender.post(b'[{"event_id": "mixed-4"}, {')
    assert (whole.status_code, whole.json()["error"]["code"]) == (400, "json")
    kept = "SELECT hex(payload), reason FROM rejected FINAL WHERE stage = 'intake' AND source = %(source)s"
    wanted = {(b'[{"event_id": "mixed-4"}, {', "json"), (b'"no event"', "field_malformed")}
    wanted.add((json.dumps(bad).encode(), "value_out_of_scale"))

    def found() -> set[tuple[bytes, str]]:
        return {(bytes.fromhex(p), reason) for p, reason in shared.query(kept, {"source": sender.source})}

    until(lambda: wanted <= found(), 30, "the rejected ones are in ClickHouse")
    listed = shared.told("rejected", "list", "--stage", "intake", "--limit", "50")
    assert {one["place"].partition("-")[0] for one in listed["rejected"]} == {"cx.rejected.v1"}
    until(lambda: set(stored(shared, "mixed-")) == {"mixed-1", "mixed-3"}, 30, "the good ones are in ClickHouse")


REFUSED: list[tuple[int, str, Callable[[Sender], httpx.Response]]] = [
    (401, "key", lambda s: s.post(b"{}", Authorization="")),
    (401, "key", lambda s: s.post(b"{}", Authorization=f"Bearer {s.key['key'][:-1]}0x")),
    (403, "origin", lambda s: s.post(b"{}", Origin="https://elsewhere.example")),
    (403, "origin", lambda s: s.post(b"{}", Origin="null")),
    (415, "content_type", lambda s: s.post(b"{}", "text/html")),
    (415, "content_encoding", lambda s: s.post(b"{}", JSON, **{"Content-Encoding": "br"})),
    (400, "gzip", lambda s: s.post(b"{}", JSON, **{"Content-Encoding": "gzip"})),
    (400, "gzip", lambda s: s.post(gzip.compress(b"{}")[:-4], JSON, **{"Content-Encoding": "gzip"})),
    (413, "too_large", lambda s: s.post(b" " * ((8 << 20) + 1))),
    (413, "too_large", lambda s: s.post(gzip.compress(b" " * (64 << 20)), JSON, **{"Content-Encoding": "gzip"})),
    (413, "too_many", lambda s: s.post(b"[" + b"1," * 10_000 + b"1]")),
    (400, "decode", lambda s: s.post(container(touchpoint())[:-1], "application/avro")),
]


@pytest.mark.parametrize(("status", "code", "ask"), REFUSED, ids=[f"{n}-{r[0]}-{r[1]}" for n, r in enumerate(REFUSED)])
def test_what_is_not_taken_is_told_why(
    sender: Sender, status: int, code: str, ask: Callable[[Sender], httpx.Response]
) -> None:
    """By a code that stays, and words that say what to do."""
    answer = ask(sender)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_pages_may_send_where_their_key_says_so(sender: Sender) -> None:
    """A browser asks first, without the key; a key that is for no page is of no use to one."""
    url = f"{sender.url}/v1/touchpoints"
    allowed = httpx.options(url, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    denied = httpx.options(url, headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in denied.headers
    beacon = httpx.post(
        f"{url}?key={sender.key['key']}",
        content=json.dumps(event("beacon-1")),
        headers={"Origin": "https://shop.example", "Content-Type": "text/plain;charset=UTF-8"},
    )
    assert (beacon.status_code, beacon.headers["access-control-allow-origin"]) == (202, "https://shop.example")
    assert httpx.get(url).status_code == 405


def test_keys_come_and_go_without_a_restart(shared: Installation) -> None:
    """Rotated, both hold for a while; revoked, it is over; secrets and hashes are in no log and no list."""
    old = with_key(shared, "rotating")
    fresh = shared.told("keys", "rotate", "rotating", "--overlap", "0")
    until(lambda: old.events(event("key-1")).status_code == 401, 10, "the old key has ended")
    new = replace(old, key=fresh)
    assert new.events(event("key-2")).status_code == 202
    assert shared.run("keys", "revoke", fresh["name"]).returncode == 0
    until(lambda: new.events(event("key-3")).status_code == 401, 10, "the key is revoked")
    listed = shared.run("keys", "list", "--json").stdout
    file = (shared.home / "intake_keys.json").read_text()
    secret = fresh["key"].rpartition("_")[2]
    assert secret not in listed + file + shared.log()
    for arguments, code in ((["revoke", "nobody"], 65), (["rotate", "nobody"], 65), (["add", "No Name"], 64)):
        assert shared.run("keys", *arguments).returncode == code
    assert shared.run("keys", "add", "x", "--origin", "shop.example").returncode == 64


def test_a_simulation_is_sent_by_the_client(shared: Installation, sender: Sender) -> None:
    """All of it is stored under the key's source; without a key, or with broken records, it says what to do."""
    before = "SELECT count() FROM touchpoints FINAL WHERE source = %(source)s"
    shop = with_key(shared, "simulated-shop")
    options = ("--intake", shop.url, "--for", "5s", "--rate", "100", "--speed", "max", "--seed", "5")
    done = subprocess.run(
        [TOUCHSTREAM, "simulate", *options, "--json"],
        env={**shared.environment, "INTAKE_KEY": shop.key["key"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)["expected"]["stored"]
    until(lambda: shared.query(before, {"source": shop.source}) == [(expected,)], 30, "all of it is stored")
    assert shared.run("simulate", *options).returncode == 64
    assert shared.run("simulate", *options, "--invalid", "0.1").returncode == 64


def test_what_other_systems_send_is_mapped_by_the_key(shared: Installation) -> None:
    """Whatever their media type says; a mapping whose ids say nothing in a body is refused when the key is made."""
    shop = with_key(shared, "segment-shop", "--mapping", "segment")
    page = {
        "type": "page",
        "messageId": "m-1",
        "userId": "u-1",
        "timestamp": "2026-11-01T08:00:00.000Z",
        "name": "Home",
    }
    answer = shop.post(json.dumps(page).encode(), "application/x-www-form-urlencoded")
    assert (answer.status_code, verdicts(answer)) == (202, [("accepted", None)]), answer.text
    assert verdicts(shop.post(json.dumps(page).encode())) == [("duplicate", None)]
    assert verdicts(shop.post(b'{"type": "page"}')) == [("rejected", "misfit")]
    name = answer.json()["events"][0]["event_id"]
    until(lambda: stored(shared, name) == {name: ("segment-shop", 1)}, 30, "it is in ClickHouse under the key's source")
    assert shared.run("keys", "add", "x", "--mapping", "no-such-mapping").returncode == 78


def test_a_source_that_sends_too_much_waits(shared: Installation) -> None:
    """And is told for how long."""
    slow = with_key(shared, "slow", "--rate", "5")
    assert slow.events(*(event(f"slow-{n}") for n in range(30))).status_code == 202
    refused = slow.events(event("slow-31"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_source_of_which_all_is_rejected_is_stopped_and_taken_again(shared: Installation, make: Maker) -> None:
    """It keeps what it has, an alert tells of it, also over a restart, and the first good event after the pause ends it."""
    alone = make()
    key, other = alone.told("keys", "add", "broken"), alone.told("keys", "add", "sound")
    with an_intake(alone, shared) as url:
        broken, sound = Sender(url, key), Sender(url, other)
        stop(broken)
        assert sound.events(event("sound-1")).status_code == 202
        until(lambda: broken.events(event("stop-51")).status_code == 202, 10, "it is taken again")
        assert states_of(shared, "broken") == ["open", "resolved"]
        stop(broken)
    with an_intake(alone, shared) as url:
        broken = Sender(url, key)
        until(lambda: stopped_sources(alone) == {"broken"}, 20, "the stop is remembered")
        assert broken.events(event("stop-52")).status_code == 202
        assert stopped_sources(alone) == set()
    assert states_of(shared, "broken") == ["open", "resolved", "open", "resolved"]


@contextmanager
def an_intake(alone: Installation, shared: Installation) -> Iterator[str]:
    """Its address, as long as it runs; it stops a source after 50 rejects for two seconds."""
    ready.forget(alone.settings, "intake")
    process = alone.begin("run", "intake", kafka_bootstrap=shared.bootstrap(), breaker_run="50", breaker_pause_s="2")
    try:
        heard = until(lambda: ready.heard(alone.settings, "intake"), 30, "the intake listens")
        url = (heard or {})["url"]
        until(lambda: httpx.get(f"{url}/readyz").status_code == 200, 30, "the intake is ready")
        yield url
    finally:
        process.terminate()
        assert process.wait(10) == 0


def stop(broken: Sender) -> None:
    """Send what is none of it a touchpoint until nothing is taken any more."""
    assert broken.events(*(event(f"stop-{n}", occurred_at=1) for n in range(50))).status_code == 422
    stopped = broken.events(event("stop-50"))
    assert (stopped.status_code, stopped.json()["error"]["code"]) == (503, "stopped")
    assert int(stopped.headers["retry-after"]) >= 1


def stopped_sources(installation: Installation) -> set[str]:
    """What the intake's own series name as stopped."""
    url = (ready.heard(installation.settings, "intake") or {})["metrics"]
    lines = httpx.get(url).text.splitlines()
    found = (re.fullmatch(r'touchstream_intake_stopped\{source="([^"]+)"\} 1\.0', line) for line in lines)
    return {match[1] for match in found if match}


def states_of(installation: Installation, source: str) -> list[str]:
    """The versions of the alert about a stopped source, in their order."""
    alerts = [Decoder("alert", FileRegistry()).decode(one.value) for one in read_alerts(installation)]
    mine = [one for one in alerts if isinstance(one, dict) and one["rule"] == "source.stopped"]
    return [one["state"] for one in mine if one["alert_id"].endswith(f"/{source}")]


def read_alerts(installation: Installation) -> list[Raw]:
    """What is on the topic of alerts."""
    return rawlog.read(installation.bootstrap(), ["cx.alerts.v1"]).records


def test_the_client_sends_in_order_and_hears_of_rejections(shared: Installation, sender: Sender) -> None:
    """What has no id gets one; a key that does not hold is told at once."""
    heard: list[str] = []
    with Touchpoints(sender.url, sender.key["key"], on_rejected=lambda _, v: heard.append(v["reason"])) as client:
        for number in range(1200):
            client.send(event(f"client-{number}"))
        client.send({**event("client-x"), "event_id": None, "channel": "moon"})
        client.flush()
        counts = client.counts
    assert (counts.accepted, counts.rejected, counts.waiting, heard) == (1200, 1, 0, ["field_malformed"])
    until(lambda: len(stored(shared, "client-")) == 1200, 30, "all are in ClickHouse")
    unknown = Touchpoints(sender.url, "ts_no_key")
    with pytest.raises(IntakeRefused, match="401"), unknown:
        unknown.send(event("client-y"))


def test_nothing_is_taken_without_a_broker(make: Maker, tmp_path: Path) -> None:
    """It starts all the same, and says so to whoever asks."""
    alone = make()
    key = alone.told("keys", "add", "patient")["key"]
    process = alone.begin("run", "intake", kafka_bootstrap=f"127.0.0.1:{pick(0)}")
    try:
        heard = until(lambda: ready.heard(alone.settings, "intake"), 30, "the intake listens")
        url = (heard or {})["url"]
        answer = httpx.post(f"{url}/v1/touchpoints", json=event("alone-1"), headers={"X-Api-Key": key})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_durable")
        assert int(answer.headers["retry-after"]) >= 1
        assert httpx.get(f"{url}/readyz").status_code == 503
        assert httpx.get(f"{url}/healthz").status_code == 200
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_what_was_answered_survives_kills_of_broker_and_intake(tmp_path: Path) -> None:
    """Every answer of a run is held against the tables, as sets; then a client keeps on its disk what an outage keeps from it."""
    said: list[str] = []
    with Rig(tmp_path) as rig:
        held = run(rig, Plan(seed=11, rate=1500, seconds=6, together=20, kills=1, kill_intake=True), said.append)
        assert held, "\n".join(said)
        heard = ready.heard(settings_of(home=tmp_path / "home-intake"), "intake")
        assert heard is not None
        rig.hold("kafka")
        client = Touchpoints(heard["url"], KEY, buffer=Spilling(tmp_path / "spill", most=10))
        with client:
            for number in range(2500):
                client.send(event(f"away-{number}"))
            assert client.counts.accepted == 0
            rig.release("kafka")
            client.flush(90)
        assert list((tmp_path / "spill").iterdir()) == []
        away = "SELECT event_id, count() FROM touchpoints WHERE startsWith(event_id, 'away-') GROUP BY event_id"
        until(lambda: len(rig.query(away)) == 2500, 60, "all are in ClickHouse")
        assert {count for _, count in rig.query(away)} == {1}
