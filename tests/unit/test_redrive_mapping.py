"""What came in another system's form and was rejected goes back by the mapping of now: a whole row, or what was rejected of it."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pipeline.codec import Decoder
from pipeline.config import Settings
from pipeline.intake.judging import Bad, Good, Judge
from pipeline.intake.keys import Key
from pipeline.intake.mapped import Mapped
from pipeline.intake.shape import shape_of
from pipeline.redrive_judging import NOTHING, Mending
from pipeline.redrive_mapping import Mappings
from pipeline.redrives import Place, Rejected, Sendable, Unsendable
from pipeline.redriving import judge_of
from pipeline.replay.fields import MappingFault
from pipeline.replay.mapping import parse
from pipeline.replay.plan import Mapping
from schemas.registry import FileRegistry
from tests.harness.mappings import EXCHANGE
from tests.harness.touchpoints import admission

NOW = 1_790_000_000_000
SECRET = "sixteen bytes or more"
PLACE = Place("cx.rejected.v1", 0, 7)
MENDED = EXCHANGE.replace('"caller"', '"from"')
TABLE = EXCHANGE.replace('format = "json"', 'format = "csv"')
CALL: dict[str, Any] = {
    "id": "c-1",
    "from": "+493023125010",
    "begin": NOW - 60_000,
    "end": NOW - 1_000,
    "site": "north",
}
KEYS = (
    Key(name="a" * 12, source="exchange", sha256="", created_at=0, mapping="calls"),
    Key(name="b" * 12, source="exchange", sha256="", created_at=0),
    Key(name="c" * 12, source="two", sha256="", created_at=0, mapping="calls"),
    Key(name="d" * 12, source="two", sha256="", created_at=0, mapping="other"),
)


def mapping(text: str = MENDED) -> Mapping:
    """A mapping as it is written."""
    return parse(text)


def taken(body: bytes, text: str) -> list[Good | Bad]:
    """What the intake makes of a body by a mapping."""
    judge = Judge("exchange", shape_of("touchpoint"), admission(), 1 << 19)
    events = Mapped(mapping(text), SECRET.encode()).events(body, judge, NOW, 100)
    return [one for one in events if one is not None]


def rejected(body: bytes, text: str) -> list[Rejected]:
    """What is kept of a body, as the table of rejected records has it."""
    return [
        Rejected(
            replace_offset(number),
            "intake",
            one.why.reason.value,
            one.why.field,
            one.why.expected,
            one.why.got,
            None,
            NOW,
            b"",
            one.body,
            "exchange",
            str(one.record.get("event_type", "")),
            str(one.record.get("channel", "")),
        )
        for number, one in enumerate(taken(body, text))
        if isinstance(one, Bad)
    ]


def replace_offset(number: int) -> Place:
    """A place of its own for each."""
    return PLACE._replace(offset=number)


def judged(one: Rejected, text: str = MENDED, mending: Mending = NOTHING) -> Sendable | Unsendable:
    """What a redrive makes of it when the mapping is this one by now."""
    mappings = Mappings(KEYS, lambda _: mapping(text), SECRET.encode())
    judge = replace(judge_of(Settings.model_validate({"secret": SECRET})), mappings=mappings)
    return judge.of(one, mending, NOW)


def records(found: Sendable | Unsendable) -> list[dict[str, Any]]:
    """All touchpoints that would be sent."""
    assert isinstance(found, Sendable), found
    decoder = Decoder("touchpoint", FileRegistry())
    read = [decoder.decode(value) for value in (found.value, *(other.value for other in found.along))]
    return [record for record in read if isinstance(record, dict)]


def why(found: Sendable | Unsendable) -> str:
    """Why not."""
    assert isinstance(found, Unsendable), found
    return found.why


@pytest.mark.parametrize("together", [1, 3])
def test_a_row_that_did_not_fit_gives_all_its_touchpoints_once_the_mapping_is_mended(together: int) -> None:
    """The very ones that the intake would have made, under the same ids, whether the row came alone or among others."""
    calls = [{**CALL, "id": f"c-{n}"} for n in range(together)]
    body = json.dumps(calls).encode()
    kept = rejected(body, EXCHANGE)
    assert [one.reason for one in kept] == ["misfit"] * together
    assert {why(judged(one, EXCHANGE)).partition(":")[0] for one in kept} == {"misfit at identifiers"}
    found = [judged(one) for one in kept]
    want = [one.record for one in taken(body, MENDED) if isinstance(one, Good)]
    assert len(want) == 2 * together
    assert [record for one in found for record in records(one)] == want
    assert {other.topic for one in found if isinstance(one, Sendable) for other in one.along} == {
        "cx.touchpoints.call.v1"
    }


def test_a_row_of_a_table_is_kept_so_that_it_can_be_read_again() -> None:
    """With its header line."""
    lines = [b"id,caller,begin,end,site", *(f"c-{n},,{NOW},{NOW},north".encode() for n in range(2))]
    kept = rejected(b"\r\n".join(lines), TABLE)
    assert len(kept) == 2
    one_site = TABLE.replace('{ namespace = "phone", column = "caller" }', '{ namespace = "device", column = "site" }')
    assert [len(records(judged(one, one_site))) for one in kept] == [2, 2]


def test_what_was_no_row_gives_all_its_touchpoints_once_the_mapping_reads_it() -> None:
    """Whatever the reason; but not more than a row may give, and not what is too large by any mapping."""
    table = b"id,from,begin,end,site\r\nc-1,+493023125010,%d,%d,north\r\n" % (NOW, NOW)
    (kept,) = rejected(table, MENDED)
    assert kept.reason == "json"
    mended = TABLE.replace('"caller"', '"from"')
    assert [record["site"] for record in records(judged(kept, mended))] == [None, "north"]
    rows = table + b"c-2,+493023125010,1,1,north\r\n" * 1000
    assert "1000 rows at most" in why(judged(replace(kept, payload=rows), mended))
    (large,) = rejected(json.dumps({**CALL, "site": "x" * (1 << 19)}).encode(), MENDED)
    assert large.reason == "too_large"
    assert "too_large" in why(judged(large))
    text = EXCHANGE.replace('format = "json"', 'format = "json"\nrecords = "calls"').replace('"site"', '"outer.site"')
    text = text.replace('"caller"', '"from"')
    whole = json.dumps({"calls": [CALL] * 999, "site": "x" * 100_000}).encode()
    assert "too_large" in why(judged(replace(kept, payload=whole), text))


def test_of_a_row_that_fitted_only_what_was_rejected_goes_back() -> None:
    """The rest of it is stored."""
    kept = rejected(json.dumps({**CALL, "end": NOW + 10**9}).encode(), MENDED)
    assert [(one.reason, one.event_type) for one in kept] == [("time_in_future", "call.ended")]
    assert "time_in_future" in why(judged(kept[0]))
    (record,) = records(judged(kept[0], mending=Mending({"occurred_at": NOW})))
    assert (record["event_type"], record["occurred_at"], record["site"]) == ("call.ended", NOW, "north")
    (record,) = records(judged(kept[0], MENDED.replace('column = "end"', 'column = "begin"')))
    assert record["occurred_at"] == CALL["begin"]
    both_alike = MENDED.replace("call.queued", "call.ended")
    assert "gives 2 touchpoints of its type" in why(judged(kept[0], both_alike))


def test_what_a_patch_makes_of_a_row_is_judged() -> None:
    """Of all its touchpoints."""
    kept = rejected(json.dumps(CALL).encode(), EXCHANGE)
    found = records(judged(kept[0], mending=Mending({"site": "south"})))
    assert {record["site"] for record in found} == {"south"}
    assert "values that its fields do not take" in why(judged(kept[0], mending=Mending({"site": {"a": 1}})))
    assert "duration_negative" in why(judged(kept[0], mending=Mending({"duration_ms": -1})))


def test_what_the_mapping_leaves_out_by_now_stays() -> None:
    """And says so."""
    kept = rejected(json.dumps(CALL).encode(), EXCHANGE)
    text = f'when = [{{ column = "site", is = ["south"] }}]{MENDED}'
    assert "the mapping calls makes no touchpoint of it" in why(judged(kept[0], text))


def test_a_touchpoint_in_the_place_of_a_row_is_read_as_one() -> None:
    """As the intake reads it, without the mapping."""
    kept = rejected(json.dumps(CALL).encode(), EXCHANGE)
    event = {
        "event_id": "i-1",
        "event_type": "call.ended",
        "channel": "call",
        "occurred_at": NOW,
        "identifiers": [{"namespace": "customer", "value": "c-1042"}],
    }
    (record,) = records(judged(kept[0], mending=Mending(replacement=msgspec.json.encode(event))))
    assert (record["event_id"], record["source"]) == ("i-1", "exchange")


def test_without_one_mapping_of_its_source_it_stays() -> None:
    """And says what to do."""
    kept = rejected(json.dumps(CALL).encode(), EXCHANGE)[0]
    assert "no key of its source has a mapping" in why(judged(replace(kept, source="nobody")))
    assert "different mappings (calls, other)" in why(judged(replace(kept, source="two")))


def test_a_mapping_that_is_gone_is_named() -> None:
    """So are keys that cannot be read."""

    def gone(name: str) -> Mapping:
        raise MappingFault(f"there is no {name}")

    assert Mappings(KEYS, gone, b"").of("exchange") == "there is no calls"
    assert Mappings((), gone, b"", "cannot read the keys").of("exchange") == "cannot read the keys"
