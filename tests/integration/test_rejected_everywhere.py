"""Whatever was rejected, by whichever stage, goes back once where that is right: by command, over HTTP and from the board."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kafka import KafkaProducer
from playwright.sync_api import Browser

from pipeline import endpoints, rawlog, redriver, rejected_rows
from pipeline.events import Out, Raw, Reason, Rejection
from pipeline.redrive_judging import NOTHING
from pipeline.redrives import Place, Redriven, Sendable, place_of
from pipeline.redriving import decoders_of, judge_of
from pipeline.topics import REJECTED, RESOLVED, SOURCES
from processors.poison import failed
from processors.rejects import refused, rejected
from sinks.clickhouse import ClickHouse
from tests.harness.installation import Installation, Maker
from tests.harness.mappings import EXCHANGE
from tests.harness.records import encoded, written
from tests.harness.sinks import Bench, run_until
from tests.harness.touchpoints import encoder
from tests.harness.waiting import until
from tests.integration.test_board import CHROMIUM, browser, opened
from tests.integration.test_intake import Sender, event, with_key

__all__ = ["browser"]
CUSTOMERS = "customers.v1"
DONE = {"committed:1": 2, "sent:2": 2, "committed:2": 3}
"""How many of three places a redrive has sent when it is killed there; else none: the derived one goes by itself, last."""
POINTS = ("fenced:1", "sent:1", "noted:1", *DONE)


def log_of(installation: Installation, topic: str) -> list[Raw]:
    """Committed records of a topic."""
    settings = installation.settings
    return rawlog.read(endpoints.kafka(settings), [settings.topic_prefix + topic]).records


def statuses(done: Any) -> dict[str, str]:
    return {one["place"]: one["status"] for one in json.loads(done.stdout)["records"]}


def of_intake(event_id: str, source: str) -> Out:
    """What the intake would write of an event that was too large until its bound was raised."""
    why = Rejection(Reason.TOO_LARGE, "", "10 bytes at most", "100 bytes")
    return refused(json.dumps(event(event_id)).encode(), why, "intake", {"source": source})


def killed_here(bench: Bench, shared: Installation) -> Installation:
    settings = bench.settings
    return Installation(
        shared.home, {"topic_prefix": settings.topic_prefix, "clickhouse_database": settings.clickhouse_database}
    )


def drain(bench: Bench) -> None:
    assert run_until(bench.new(), bench.drained, "everything is inserted or rejected").fault is None


def places(bench: Bench, stage: str) -> list[str]:
    found = bench.rows(
        f"SELECT source_topic, source_partition, source_offset FROM rejected FINAL WHERE stage = '{stage}' ORDER BY ALL"
    )
    return [str(Place(*row)) for row in found]


def test_killed_at_every_point_each_kind_goes_back_once(
    bench: Bench, shared: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What intake and journey rejected and a customer's row that was refused, all in one command."""
    bench.rows("ALTER TABLE customers ADD CONSTRAINT never CHECK person = ''")
    bench.write(100)
    mine = killed_here(bench, shared)
    good = [one for one in log_of(mine, RESOLVED) if one.attempt == 1][: len(POINTS)]
    bench.send([rejected(one, failed(KeyError()), "journey") for one in good])
    bench.send([of_intake(f"i-{n}", "shop") for n in range(len(POINTS))])
    drain(bench)
    stored = bench.number("SELECT count() FROM touchpoints FINAL")
    *derived, last = (one for one in places(bench, "sink") if CUSTOMERS in one)
    of_each = list(zip(places(bench, "intake"), places(bench, "journey"), derived, strict=True))
    assert len(of_each) == len(POINTS) == len(good)
    for point, which in zip(POINTS, of_each, strict=True):
        killed = mine.run("rejected", "redrive", *which, crash_at=f"redrive:{point}")
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
    ended = statuses(mine.run("rejected", "redrive", *(place for which in of_each for place in which), "--json"))
    for point, which in zip(POINTS, of_each, strict=True):
        before = DONE.get(point, 0)
        assert [ended[place] for place in which] == ["sent_before"] * before + ["sent"] * (3 - before), point

    resolved = Counter((one.origin.partition, one.key, one.value) for one in log_of(mine, RESOLVED))
    assert {one for one, times in resolved.items() if times > 1} == {
        (one.origin.partition, one.key, one.value) for one in good
    }
    assert max(resolved.values()) == 2
    assert Counter(one.attempt for one in log_of(mine, RESOLVED))[2] == len(good)
    decoder = decoders_of(mine.settings)["touchpoint"]
    events = [decoder.decode(one.value) for one in log_of(mine, SOURCES[1])]
    assert Counter(one["event_id"] for one in events if isinstance(one, dict)) == Counter(
        f"i-{n}" for n in range(len(POINTS))
    )
    customers = Counter(one.value for one in log_of(mine, CUSTOMERS))
    assert Counter(customers.values()) == {2: len(POINTS), 1: 1}

    bench.rows("ALTER TABLE customers DROP CONSTRAINT never")
    again = bench.number("SELECT count() FROM touchpoints") + len(good)

    def inserted() -> bool:
        return (
            bench.number("SELECT count() FROM customers") == len(POINTS)
            and bench.number("SELECT uniqExact(_partition, _offset) FROM touchpoints") == again
        )

    assert run_until(bench.new(), inserted, "what was sent again is inserted").fault is None
    assert bench.number("SELECT count() FROM touchpoints FINAL") == stored
    assert bench.number("SELECT uniqExact(person) FROM customers FINAL") == len(POINTS)
    overtaken_while_it_is_sent(bench, mine, place_of(last), monkeypatch)
    stays = mine.run("rejected", "redrive", last, "--dry-run")
    assert (stays.returncode, "stays: overtaken: a newer version" in stays.stdout) == (1, True)


def overtaken_while_it_is_sent(bench: Bench, mine: Installation, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version of the customer is written after the first look, before the record itself."""
    settings, judge, real = mine.settings, judge_of(mine.settings), rawlog.holds
    database = ClickHouse(settings)
    (row,) = rejected_rows.at(database, [place])
    database.close()
    found = judge.of(row, NOTHING, 1)
    assert isinstance(found, Sendable)
    record = judge.decoders["customer_view"].decode(found.value)
    assert isinstance(record, dict)
    newer = encoder("customer_view").encode({**record, "version": record["version"] + 1})
    looks: list[bool] = []
    heard: list[tuple[Place, Redriven | None]] = []

    async def holds(*asked: Any) -> Any:
        answer = await real(*asked)
        looks.append(answer[0])
        if len(looks) == 1:
            bench.send([Out(CUSTOMERS, found.key, newer)])
        return answer

    monkeypatch.setattr(rawlog, "holds", holds)
    redriver.redrive(settings, [[found]], lambda: 1, lambda at, one, _: heard.append((at, one)))
    assert (heard, looks) == ([(place, None)], [False, True])
    values = [one.value for one in log_of(mine, CUSTOMERS)]
    assert (values.count(found.value), values.count(newer)) == (1, 1)
    assert place not in redriver.ledger(settings)


@pytest.fixture(scope="module")
def shop(shared: Installation) -> Sender:
    """A source whose events are rejected."""
    return with_key(shared, "redrive-shop")


class Api:
    """The HTTP API of an installation."""

    def __init__(self, installation: Installation) -> None:
        self.url = endpoints.known(installation.settings).serve

    def rejected(self, **asked: Any) -> Any:
        """The list."""
        answer = httpx.get(f"{self.url}/v1/rejected", params=asked, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def redrive(self, status: int = 200, headers: dict[str, str] | None = None, **asked: Any) -> Any:
        """The answer to a redrive."""
        answer = httpx.post(
            f"{self.url}/v1/rejected/redrive",
            content=json.dumps(asked),
            headers={"Content-Type": "application/json", **(headers or {})},
            timeout=60,
        )
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.text


def test_what_the_intake_rejected_is_mended_over_http_and_by_command(
    shared: Installation, shop: Sender, tmp_path: Path
) -> None:
    run, api = uuid4().hex, Api(shared)
    secret = f"{run}@mail.example"
    bad = {
        "field_unknown": event(f"{run}-a", colour=secret),
        "field_malformed": event(f"{run}-b", site={"a": 1}),
        "time_in_future": event(f"{run}-c", occurred_at=time.time_ns() // 1_000_000 + 72 * 3_600_000),
    }
    shop.events(*bad.values())
    shop.post(b'{"event_id": ')
    of_source = "SELECT count() FROM rejected FINAL WHERE source = %(source)s"
    until(lambda: shared.query(of_source, {"source": shop.source}) == [(4,)], 30, "the rejected events")

    listed = api.rejected(source=shop.source, stage="intake", since="1h", limit=100)
    assert listed["count"] == len(listed["rejected"])
    at = {one["reason"]: one["place"] for one in listed["rejected"]}
    assert set(at) == {*bad, "json"}
    assert secret not in json.dumps(listed)
    told = shared.told("rejected", "list", "--source", shop.source, "--stage", "intake")
    assert {one["place"] for one in told["rejected"]} == set(at.values())
    whole = httpx.get(f"{api.url}/v1/rejected/{at['field_unknown']}", timeout=30).json()["rejected"][0]
    assert (whole["record"]["colour"], whole["source"], whole["attempt"]) == (secret, shop.source, 1)
    assert "misspelt" in whole["remedy"]
    assert httpx.get(f"{api.url}/v1/rejected/{at['json']}", timeout=30).json()["rejected"][0]["text"] == '{"event_id": '

    asked: dict[str, Any] = {"places": [at["field_unknown"]], "patch": {"colour": None}}
    api.redrive(415, {"Content-Type": "text/plain"}, **asked)
    api.redrive(403, {"Origin": "https://elsewhere.example"}, **asked)
    api.redrive(403, {"Sec-Fetch-Site": "cross-site"}, **asked)
    assert api.redrive(**asked, dry_run=True)["counts"] == {"sendable": 1}
    assert api.redrive(places=[*at.values()], dry_run=True)["counts"] == {"unsendable": 4}
    assert api.redrive(**asked)["counts"] == {"sent": 1}
    assert api.redrive(**asked)["counts"] == {"sent_before": 1}
    wanted = {"source": shop.source, "reason": "field_malformed"}
    assert api.redrive(filter=wanted, patch={"site": "shop"})["counts"] == {"sent": 1}

    instead = tmp_path / "event.json"
    instead.write_text(json.dumps(event(f"{run}-d")))
    replaced = shared.run("rejected", "redrive", at["json"], "--replace", str(instead), "--json")
    assert statuses(replaced) == {at["json"]: "sent"}
    # By a rule that the stage does not share, so that it is rejected once more there.
    lenient = shared.run("rejected", "redrive", at["time_in_future"], "--json", future_tolerance_h="100")
    assert statuses(lenient) == {at["time_in_future"]: "sent"}
    assert shared.told("reconcile")["unexplained"] == 0

    rows = shared.query(
        "SELECT event_id, source, count() FROM touchpoints WHERE startsWith(event_id, %(run)s) GROUP BY ALL",
        {"run": run},
    )
    assert set(rows) == {(f"{run}-{one}", shop.source, 1) for one in "abd"}
    (once_more,) = api.rejected(source=shop.source, stage="resolve")["rejected"]
    assert (once_more["reason"], once_more["attempt"]) == ("time_in_future", 2)
    (stored,) = shared.query(
        "SELECT attempt FROM rejected WHERE stage = 'resolve' AND source = %(s)s", {"s": shop.source}
    )
    assert stored == (2,)
    assert (
        api.rejected(source=shop.source, reason="time_in_future", stage="intake")["rejected"][0]["sent_to"]
        == (once_more["place"])
    )


def test_what_a_wrong_mapping_rejected_goes_back_by_the_mended_one(shared: Installation, tmp_path: Path) -> None:
    """All touchpoints of a row at once, each row once, also when the command is killed between them and its note of it; the intake
    goes by the mended mapping without a restart."""
    run, mapping = uuid4().hex, tmp_path / "exchange.toml"
    mapping.write_text(EXCHANGE)
    exchange = with_key(shared, f"exchange-{run[:8]}", "--mapping", str(mapping))
    now = time.time_ns() // 1_000_000
    calls = [{"id": f"{run}-{n}", "from": "+493023125010", "begin": now - 60_000, "end": now} for n in range(4)]
    told = exchange.post(json.dumps(calls[:3]).encode())
    assert (told.status_code, told.json()["rejected"]) == (422, 3)
    of_source = "SELECT count() FROM rejected FINAL WHERE source = %(source)s"
    until(lambda: shared.query(of_source, {"source": exchange.source}) == [(3,)], 30, "the rejected rows")
    redrive = ("rejected", "redrive", "--source", exchange.source, "--json")
    assert set(statuses(shared.run(*redrive)).values()) == {"unsendable"}

    mapping.write_text(EXCHANGE.replace('"caller"', '"from"'))
    assert exchange.post(json.dumps(calls[3]).encode()).json()["accepted"] == 2
    for point in ("sent", "noted"):
        killed = shared.run(*redrive, crash_at=f"redrive:{point}:1")
        assert killed.returncode == -signal.SIGKILL
    assert set(statuses(shared.run(*redrive)).values()) == {"sent"}
    assert set(statuses(shared.run(*redrive)).values()) == {"sent_before"}
    rows = (
        "SELECT event_type, count(), uniqExact(event_id) FROM touchpoints WHERE source = %(source)s GROUP BY event_type"
    )
    want = {("call.queued", 4, 4), ("call.ended", 4, 4)}
    until(lambda: set(shared.query(rows, {"source": exchange.source})) == want, 30, "all calls are stored once")
    assert shared.told("reconcile")["unexplained"] == 0


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is installed")
def test_from_the_first_page_to_sending_one_again(shared: Installation, browser: Browser) -> None:
    source, event_id = f"board-{uuid4().hex[:8]}", uuid4().hex
    out = of_intake(event_id, source)
    producer = KafkaProducer(bootstrap_servers=shared.bootstrap(), acks="all")
    producer.send(shared.settings.topic_prefix + REJECTED, out.value, headers=list(out.headers)).get(30)
    producer.close()
    of_source = "SELECT count() FROM rejected WHERE source = %(source)s"
    until(lambda: shared.query(of_source, {"source": source}) == [(1,)], 30, "the rejected event")
    with opened(browser, f"{Api(shared).url}/") as seen:
        page = seen.page
        until(lambda: page.locator(".sum a:has-text('rejected')").count() == 1, 30, "the number of rejected records")
        page.locator(".sum a").click()
        page.wait_for_url("**/rejected", timeout=20_000)
        page.locator(f"tr:has-text('{source}') a:has-text('too_large')").first.click()
        page.wait_for_url(f"**source={source}**", timeout=20_000)
        page.locator("section:has(h2:has-text('newest')) td a:has-text('too_large')").click()
        page.wait_for_url("**place=**", timeout=20_000)
        until(lambda: "larger than an event may be" in seen.text("#content"), 20, "the reason in words")
        assert "Send long texts and files elsewhere" in seen.text("#content")
        assert event_id in seen.text(".held")
        again = page.locator("section:has(h2:has-text('Rejected at'))")
        again.locator("button:has-text('Send again')").click()
        until(lambda: "It would be taken now." in seen.text(".again"), 20, "what would come of it")
        assert not shared.query("SELECT 1 FROM touchpoints WHERE event_id = %(id)s", {"id": event_id})
        again.locator("button:has-text('Yes, send')").click()
        until(lambda: "Sent at" in seen.text(".again"), 30, "it is sent")
        until(lambda: "sent again" in seen.text("section table"), 20, "that it was sent again")
        again.locator("button:has-text('Send again')").click()
        until(lambda: "It was sent before" in seen.text(".again"), 20, "that it was sent before")
    sql = "SELECT source, count() FROM touchpoints WHERE event_id = %(id)s GROUP BY ALL"
    until(lambda: shared.query(sql, {"id": event_id}) == [(source, 1)], 30, "the touchpoint")


FAULT = """
import os
from processors import cell
real = cell.add
def add(mine, touch, policy):
    if touch.event_id.startswith("poison") and os.path.exists({flag!r}):
        raise KeyError("a fault of ours")
    return real(mine, touch, policy)
cell.add = add
"""


@pytest.mark.long
@pytest.mark.timeout(240)
def test_what_a_faulty_journey_rejected_is_counted_once_it_is_sent_again(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage fails on some touchpoints until it is mended; then they are sent again, and all adds up."""
    flag = tmp_path / "faulty"
    flag.touch()
    (tmp_path / "sitecustomize.py").write_text(FAULT.format(flag=str(flag)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    mine = make().up()
    now = time.time_ns() // 1_000_000
    written(mine, SOURCES[1], [encoded(f"good-{n}", now - n * 60_000, f"c{n % 3}") for n in range(12)])
    written(mine, SOURCES[1], [encoded(f"poison-{n}", now - n * 50_000, f"c{n % 4}") for n in range(6)])
    mine.wait_idle()
    flag.unlink()
    assert mine.number("SELECT count() FROM rejected FINAL WHERE stage = 'journey'") == 6
    assert mine.number("SELECT count() FROM touchpoints FINAL") == 18
    assert mine.number("SELECT sum(touchpoints) FROM customers FINAL") == 12
    assert mine.run("recompute", "--json").returncode == 1
    done = mine.run("rejected", "redrive", "--stage", "journey", "--json")
    assert Counter(statuses(done).values()) == {"sent": 6}
    mine.wait_idle()
    assert mine.number("SELECT count() FROM touchpoints FINAL") == 18
    assert mine.number("SELECT sum(touchpoints) FROM customers FINAL") == 18
    assert mine.run("recompute", "--json").returncode == 0
    assert mine.told("reconcile")["unexplained"] == 0
