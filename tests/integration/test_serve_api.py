"""The HTTP API over a real ClickHouse engine with made-up customers."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from pipeline.health.fields import FIELDS
from pipeline.serve import read_sources
from pipeline.serve.app import create_api
from pipeline.serve.clickhouse import ClickHouse, Parameters, Row, Source
from pipeline.serve.guard import MOST_BYTES
from pipeline.serve.present import iso
from tests.harness.board_data import SOURCE_OF
from tests.harness.board_server import Stored, stored
from tests.harness.waiting import until

HOST = "http://127.0.0.1"
PERSONS = 120
REJECTED = """INSERT INTO rejected (source_topic, source_partition, source_offset, rejected_at, stage, reason, source, _offset)
SELECT 't', 0, number, now64(3), 'resolve', 'magic', 'web-shop', 9000 + number FROM numbers(7)"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored(tmp_path_factory.mktemp("clickhouse")) as made:
        made.world.past(PERSONS, 3, int(time.time() * 1000))
        made.world.reject("cx.touchpoints.web.v1", "decode", 4, int(time.time() * 1000))
        yield made


@pytest.fixture(scope="module")
def api(data: Stored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_api(data.settings(tmp_path_factory.mktemp("home")))
    with TestClient(app, base_url=HOST) as client:
        yield client


def a_person(data: Stored, more_than: int = 6) -> int:
    """Somebody with two identifiers and some history."""
    return next(n for n, touches in data.world.touches.items() if n % 3 == 0 and len(touches) > more_than)


def get(api: TestClient, path: str, status: int = 200) -> Any:
    answer = api.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_sources_are_told_and_add_up(api: TestClient, data: Stored) -> None:
    for _ in range(2):
        data.world.client.execute(REJECTED)
    found = get(api, "/v1/sources")
    named = {one["name"]: one for one in found["sources"]}
    assert set(named) == {SOURCE_OF[t.channel] for touches in data.world.touches.values() for t in touches}
    assert found["alerts"] is None, "no Kafka here"
    for name, short in named.items():
        answer = get(api, f"/v1/sources/{name}")["source"]
        assert {key: answer[key] for key in short} == short
        touches = [t for touches in data.world.touches.values() for t in touches if SOURCE_OF[t.channel] == name]
        assert sum(kind["touchpoints"] for kind in answer["kinds"]) == len(touches)
        assert short["state"] == "new"
        assert short["last_event"] == iso(max(t.arrived for t in touches))
        assert answer["lateness"]["p50"] >= 0
        assert answer["clock"]["sampled"] == 0
        assert len(answer["hours"]) == 48
    assert {field["name"] for field in answer["fields"]} == set(FIELDS)
    rejecting = get(api, "/v1/sources/web-shop")["source"]
    assert (rejecting["rejected"], rejecting["rejected_reasons"]) == (7, {"magic": 7})
    assert get(api, "/v1/sources/nobody", 404)["error"]["code"] == "not_found"
    described = api.get("/openapi.json").json()["paths"]
    assert {"/v1/sources", "/v1/sources/{name}"} <= set(described)


class Counting:
    """A source that keeps what it has answered."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner
        self.answers: list[Sequence[Row]] = []

    async def rows(self, sql: str, parameters: Parameters | None = None) -> Sequence[Row]:
        """See Source."""
        self.answers.append(await self.inner.rows(sql, parameters))
        return self.answers[-1]


def test_of_too_many_sources_only_the_latest_are_read(
    api: TestClient, data: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the queries, so that a source which makes up a name for each event costs no memory."""
    latest = [one["name"] for one in get(api, "/v1/sources")["sources"]]
    assert len(latest) > 2
    monkeypatch.setattr(read_sources, "MOST_SOURCES", 2)
    monkeypatch.setattr(read_sources, "MOST_MIXES", 1)
    source = ClickHouse(data.settings(tmp_path))
    try:
        counting = Counting(source)
        found = asyncio.run(read_sources.SourceReader(counting).read(int(time.time() * 1000)))
    finally:
        source.close()
    assert list(found) == latest[:2]
    named = [{row[0] for row in rows} for rows in counting.answers[:-1]]
    assert max(map(len, named)) == 2
    assert all(len(one.day) == 1 for one in found.values())


def test_every_name_of_a_person_leads_to_the_same_answer(api: TestClient, data: Stored) -> None:
    number = a_person(data)
    (_, customer), (_, email) = data.world.identifiers(number)
    person = data.world.person(number)
    names = [f"customer:{customer}", customer, f"email:{email.upper()}", email, person, *data.world.cells(number)]
    for name in names:
        found = get(api, f"/v1/customers/{name}")
        assert (found["person"], found["touchpoints"]) == (person, len(data.world.touches[number]))


def test_a_customer_is_told_whole_and_adds_up(api: TestClient, data: Stored) -> None:
    number = a_person(data)
    touches = sorted(data.world.touches[number], key=lambda t: t.occurred)
    found = get(api, f"/v1/customers/{data.world.person(number)}?limit=500&sessions=500")
    assert sum(found["channels"].values()) == found["touchpoints"] == len(found["timeline"]) == len(touches)
    assert sum(s["touchpoints"] for s in found["sessions"]) == len(touches)
    assert sum(j["touchpoints"] for j in found["journeys"]) == len(touches)
    times = [t["occurred_at"] for t in found["timeline"]]
    assert times == sorted(times, reverse=True)
    assert all(t["session_id"] and t["journey_id"] for t in found["timeline"])
    assert sum(a["minor_units"] for a in found["amounts"]) == sum(t.amount or 0 for t in touches)
    assert {a["metric"] for a in found["latest_answers"]} == {t.answer[0] for t in touches if t.answer}
    assert found["next_before"] is None
    assert found["freshness"]["state"] in {"live", "waiting"}


def test_pages_of_the_timeline_join_without_gap_or_repeat(api: TestClient, data: Stored) -> None:
    person = data.world.person(a_person(data))
    whole = [t["event_id"] for t in get(api, f"/v1/customers/{person}?limit=500")["timeline"]]
    read: list[str] = []
    page = get(api, f"/v1/customers/{person}?limit=2")
    while True:
        read += [t["event_id"] for t in page["timeline"]]
        if page["next_before"] is None:
            break
        answer = api.get(f"/v1/customers/{person}", params={"limit": 2, "before": page["next_before"]})
        page = answer.json()
    assert read == whole


def test_nothing_personal_is_told_unless_asked_for(api: TestClient, data: Stored) -> None:
    number = a_person(data)
    email = data.world.identifiers(number)[1][1]
    plain = api.get(f"/v1/customers/{email}?limit=500").text
    assert email not in plain
    assert data.world.identifiers(number)[0][1] not in plain
    full = get(api, f"/v1/customers/{email}?limit=500&personal=true")
    assert {"namespace": "customer", "value": f"cust-{number:05d}"} in full["identifiers"]
    assert full["timeline"][0]["personal"]["identifiers"]


def test_a_bare_value_that_names_two_persons_is_refused_with_both(api: TestClient, data: Stored) -> None:
    world = data.world
    one, other = 900_000, 900_001
    now = int(time.time() * 1000)
    for number in (one, other):
        world.touches[number].append(world._touch(number, "web", now - 5_000, now))
    twins = {one: [("card", "777-twin")], other: [("user", "777-twin")]}
    plain = world.identifiers
    world.identifiers = lambda number: twins.get(number) or plain(number)  # type: ignore[method-assign]
    try:
        world.write([world.touches[one][-1], world.touches[other][-1]])
        fault = get(api, "/v1/customers/777-twin", 409)["error"]
        assert fault["persons"] == sorted([world.person(one), world.person(other)])
        assert get(api, "/v1/customers/card:777-twin")["person"] == world.person(one)
    finally:
        world.identifiers = plain  # type: ignore[method-assign]


def test_a_merged_person_is_found_by_either_identifier(api: TestClient, data: Stored) -> None:
    world, keys = data.world, data.world.keyring
    number = a_person(data)
    linked = keys.cell("device", "tv-1")
    row = world._customer(number) | {"cells": [*world.cells(number), linked], "version": 10_000, "cause": "identity"}
    world._insert("customers", [row])
    assert get(api, "/v1/customers/device:tv-1")["person"] == world.person(number)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/customers/nobody@mail.example", 404, "not_found"),
        ("/v1/customers/p_00000000000000000000", 404, "not_found"),
        ("/v1/customers/email:secret", 422, "identifier_unreadable"),
        (f"/v1/customers/{'secret' * 60}", 422, "invalid_parameter"),
        ("/v1/customers/cust-1?limit=0", 422, "invalid_parameter"),
        ("/v1/customers/cust-1?limit=secret", 422, "invalid_parameter"),
        ("/v1/customers/cust-1?before=secret", 422, "invalid_parameter"),
        ("/v1/scores?window=secret", 422, "invalid_parameter"),
        ("/v1/customer/secret", 404, "no_such_address"),
    ],
)
def test_faults_are_plain_and_do_not_repeat_what_was_asked(api: TestClient, path: str, status: int, code: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "secret" not in answer.text


def test_quotes_and_odd_signs_are_values_not_sql(api: TestClient) -> None:
    for odd in ("x' OR 1=1 --", "%(cells)s", "100%", "a\\'b", "ü\u202e", '"; DROP TABLE customers'):
        assert api.get("/v1/customers/loyalty:" + quote(odd)).status_code == 404
        assert api.get("/v1/scores", params={"metric": odd}).json()["scores"] == []
    assert api.get("/v1/scores").json()["scores"][0]["n"] > 0


def test_scores_are_those_of_all_answers(api: TestClient, data: Stored) -> None:
    answers = [t.answer for touches in data.world.touches.values() for t in touches if t.answer]
    found = {s["metric"]: s for s in get(api, "/v1/scores?window=7d")["scores"]}
    assert list(found) == ["nps", "csat", "ces"]
    nps = [value for metric, value in answers if metric == "nps"]
    promoters, detractors = sum(v >= 9 for v in nps), sum(v <= 6 for v in nps)
    assert found["nps"]["n"] == len(nps) == sum(found["nps"]["distribution"].values())
    assert found["nps"]["counts"] == {
        "promoters": promoters,
        "passives": len(nps) - promoters - detractors,
        "detractors": detractors,
    }
    assert found["nps"]["value"] == pytest.approx(100 * (promoters - detractors) / len(nps))
    csat = [value for metric, value in answers if metric == "csat"]
    assert found["csat"]["value"] == pytest.approx(100 * sum(v >= 4 for v in csat) / len(csat))
    ces = [value for metric, value in answers if metric == "ces"]
    assert found["ces"]["value"] == pytest.approx(sum(ces) / len(ces))
    for score in found.values():
        assert score["interval"]["low"] < score["value"] < score["interval"]["high"]
        assert score["enough"] is (score["n"] >= 30)


def test_devices_and_other_scales_do_not_enter_a_score(api: TestClient, data: Stored) -> None:
    before = get(api, "/v1/scores?window=all&metric=nps")
    world, now = data.world, int(time.time() * 1000)
    touch = world._touch(1, "app", now - 5_000, now)
    row = world._touchpoint(touch) | {"answer_metric": "nps", "answer_question": "q", "answer_value": 0}
    common = {"answer_scale_min": 0, "answer_direction": "high_is_good"}
    world._insert("touchpoints", [row | common | {"answer_scale_max": 10, "actor_type": "device", "event_id": "odd-1"}])
    world._insert(
        "touchpoints", [row | common | {"answer_scale_max": 5, "actor_type": "customer", "event_id": "odd-2"}]
    )
    after = get(api, "/v1/scores?window=all&metric=nps")
    assert after["scores"] == before["scores"]
    assert [(s["scale"], s["n"], s["formula"]) for s in after["others"]] == [("0-5", 1, "mean/1")]


def test_a_row_that_is_inserted_again_counts_once(api: TestClient, data: Stored) -> None:
    world, now = data.world, int(time.time() * 1000)
    touch = world._touch(2, "call", now - 4_000, now)
    row = world._touchpoint(touch) | {"answer_metric": "csat", "answer_question": "q", "answer_value": 5}
    row |= {"answer_scale_min": 1, "answer_scale_max": 5, "answer_direction": "high_is_good", "event_id": "again-1"}
    before = get(api, "/v1/scores?metric=csat")["scores"][0]["n"]
    for _ in range(3):
        world._insert("touchpoints", [row | {"_offset": row["_offset"] + 1}])
    assert get(api, "/v1/scores?metric=csat")["scores"][0]["n"] == before + 1


def test_operation_endpoints(api: TestClient) -> None:
    assert get(api, "/healthz") == {"status": "alive"}
    until(lambda: api.get("/readyz").status_code == 200, 20, "ready")
    series = api.get("/metrics").text
    assert 'touchstream_serve_requests_total{route="/healthz",status="200"}' in series
    assert 'route="/v1/customers/{identifier:path}"' in series
    assert "cust-" not in series
    assert "p_" not in series.replace("http_", "").replace("touchstream_serve_p", "")


def test_the_openapi_document_is_whole_and_nothing_else_is_served(api: TestClient) -> None:
    document = get(api, "/openapi.json")
    ours = {path for path in document["paths"] if not path.startswith("/registry/")}
    rejected = {"/v1/rejected", "/v1/rejected/{place}", "/v1/rejected/redrive"}
    assert ours == {
        *("/v1/customers/{identifier}", "/v1/scores", "/v1/sources", "/v1/sources/{name}"),
        *("/healthz", "/readyz", "/metrics"),
        *rejected,
    }
    assert "examples" in json.dumps(document)
    assert api.get("/docs").status_code == 404


def test_a_method_by_which_nothing_is_done_is_refused_in_the_one_shape(api: TestClient) -> None:
    for method, path in (
        ("POST", "/v1/sources"),
        ("POST", "/v1/nothing"),
        ("PUT", "/v1/rejected/redrive"),
        ("ODD", "/v1/x"),
    ):
        answer = api.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert api.head("/v1/scores").status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8400", "127.0.0.1.evil.example", ""])
def test_names_that_are_not_ours_are_refused(api: TestClient, host: str) -> None:
    assert api.get("/v1/scores", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "LOCALHOST"])
def test_our_own_names_are_answered(api: TestClient, host: str) -> None:
    assert api.get("/healthz", headers={"Host": host}).status_code == 200


def test_pages_of_other_sites_are_refused_and_headers_are_strict(api: TestClient) -> None:
    assert api.get("/v1/scores", headers={"Origin": "https://evil.example"}).status_code == 403
    answer = api.get("/healthz", headers={"Origin": HOST})
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "referrer-policy" in answer.headers


def test_logs_hold_no_identifier(api: TestClient, data: Stored, caplog: pytest.LogCaptureFixture) -> None:
    email = data.world.identifiers(a_person(data))[1][1]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.WARNING)
        for path in (f"/v1/customers/{email}", f"/v1/customers/email:{email}x", f"/v1/customer/{email}", f"/{email}"):
            api.get(path)
    assert email not in caplog.text


def test_clickhouse_away_is_503_with_a_time_to_retry(data: Stored, tmp_path: Path) -> None:
    nowhere = data.settings(tmp_path).model_copy(update={"clickhouse_address": "127.0.0.1:1"})
    with TestClient(create_api(nowhere), base_url=HOST) as api:
        for path in ("/v1/scores", "/v1/customers/cust-1"):
            answer = api.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["error"]["code"] == "unavailable"
        assert api.get("/healthz").status_code == 200
        until(lambda: "ClickHouse" in api.get("/readyz").text, 10, "a reason")
        assert api.get("/readyz").status_code == 503


def test_tables_that_are_missing_are_named_as_such(data: Stored, tmp_path: Path) -> None:
    empty = data.settings(tmp_path).model_copy(update={"clickhouse_database": "default"})
    with TestClient(create_api(empty), base_url=HOST) as api:
        fault = get(api, "/v1/scores", 503)["error"]
        assert fault["code"] == "query_failed"
        assert "migrate" in fault["message"]


def test_rejected_records_are_listed_and_shown_while_kafka_is_away(api: TestClient) -> None:
    listed = get(api, "/v1/rejected?reason=decode&topic=touchpoints.web.v1&stage=resolve&since=1h&limit=3")
    assert (listed["count"], len(listed["rejected"]), listed["ledger_known"]) == (4, 3, False)
    first = listed["rejected"][0]
    assert {one["place"].partition("@")[0] for one in listed["rejected"]} == {"cx.touchpoints.web.v1-0"}
    assert (first["attempt"], first["sent_again"]) == (1, None)
    (whole,) = get(api, f"/v1/rejected/{first['place']}")["rejected"]
    assert (whole["size"], whole["begins_with"], whole["meaning"]) == (0, "", "The bytes are no record of that schema.")
    assert get(api, "/v1/rejected?source=nobody")["count"] == 0
    assert get(api, "/v1/rejected?since=2020-01-01T00:00Z&stage=intake")["count"] == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/rejected?since=yesterday", 422, "invalid_parameter"),
        ("/v1/rejected?reason=nonsense", 422, "invalid_parameter"),
        ("/v1/rejected?limit=1001", 422, "invalid_parameter"),
        ("/v1/rejected?colour=red", 422, "invalid_parameter"),
        ("/v1/rejected/web", 422, "invalid_parameter"),
        ("/v1/rejected/cx.touchpoints.web.v1-0@999999", 404, "not_found"),
    ],
)
def test_faults_about_rejected_records_have_the_one_shape(api: TestClient, path: str, status: int, code: str) -> None:
    assert get(api, path, status)["error"]["code"] == code


def test_a_redrive_needs_kafka_json_its_own_page_and_no_other_redrive(api: TestClient) -> None:
    asked = {"places": ["cx.touchpoints.web.v1-0@1"]}

    def posted(status: int, code: str, **more: Any) -> Any:
        answer = api.post("/v1/rejected/redrive", **{"json": asked, **more})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        return answer

    assert posted(503, "unavailable").headers["Retry-After"]
    for kind in ({"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}):
        posted(415, "content_type", json=None, content=json.dumps(asked), headers=kind)
    posted(415, "content_type", json=None, content=json.dumps(asked))
    posted(403, "foreign_page", headers={"sec-fetch-site": "same-site"})
    elsewhere = api.post("/v1/rejected/redrive", json=asked, headers={"origin": "https://elsewhere.example"})
    assert elsewhere.status_code == 403
    with api.app.state.redrives._at_work:  # type: ignore[attr-defined]
        posted(409, "busy")
    posted(503, "unavailable")


def test_a_body_without_end_is_refused(api: TestClient) -> None:
    answer = api.post(
        "/v1/rejected/redrive", content=b" " * (MOST_BYTES + 1), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "http"), answer.text
    most = json.dumps({"places": ["a" * 249 + "-1@2"] * 1000, "patch": {"text": "a" * 1_000_000}})
    taken = api.post("/v1/rejected/redrive", content=most, headers={"content-type": "application/json"})
    assert taken.status_code == 503, "it is read, and there is no Kafka"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "say which"),
        ({"places": ["a-1@2"], "filter": {"reason": "json"}}, "say which"),
        ({"filter": {}}, "say which"),
        ({"filter": {"reason": "nonsense"}}, "no such reason"),
        ({"filter": {"since": "yesterday"}}, "is no time"),
        ({"places": ["web"]}, "no place of a record"),
        ({"places": ["a-1@2"], "patch": {"colour": "red"}}, "no field colour"),
        ({"places": ["a-1@2"], "patch": {"attributes": json.loads("[" * 200 + "]" * 200)}}, "nested too deeply"),
        ({"places": ["a-1@2"], "replace": "x"}, "Extra inputs"),
    ],
)
def test_a_redrive_that_cannot_be_asked_for_is_said(api: TestClient, asked: Any, said: str) -> None:
    answer = api.post("/v1/rejected/redrive", json=asked)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (422, True), answer.text
