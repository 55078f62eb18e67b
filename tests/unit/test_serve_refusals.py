"""Rejected records on the board: every text from outside is escaped, and sums are shown."""

from zoneinfo import ZoneInfo

import pytest

from pipeline.config import Settings
from pipeline.redrives import Place, Redriven, Rejected
from pipeline.redriving import Outcome, decoders_of
from pipeline.rejected_content import Content, content
from pipeline.serve.board import refusals
from pipeline.serve.board.layout import View
from pipeline.serve.redrives import Counted
from tests.harness.records import encoded

UTC = ZoneInfo("UTC")
NOW = 1_790_000_000_000
HOSTILE = '<script>alert("x")</script>'
VIEW = View("/rejected", "7d", "dark")
PLACE = Place("cx.rejected.v1", 0, 7)
DEEP = '{"a": ' + "[" * 300 + "]" * 300 + "}"


def rejected(payload: bytes = b"", stage: str = "intake") -> Rejected:
    return Rejected(PLACE, stage, "field_unknown", HOSTILE, HOSTILE, HOSTILE, None, NOW, b"", payload, HOSTILE)


def test_counts_lead_to_their_records_and_are_summed_up() -> None:
    shown = refusals.counts(1234, [Counted("json", "pbx", 1200), Counted("json", HOSTILE, 34)], VIEW)
    assert "<script" not in shown
    assert "1\u202f234" in shown
    assert "/rejected?window=7d&amp;theme=dark&amp;reason=json&amp;source=pbx" in shown
    assert "others" not in shown
    assert "nothing was rejected" in refusals.counts(0, [], VIEW)
    more = refusals.counts(2000, [Counted("json", "pbx", 1200)], VIEW)
    assert "others" in more
    assert "2\u202f000" in more
    assert "800" in more


def test_the_newest_say_whether_they_were_sent_again() -> None:
    known = {PLACE: Redriven(NOW, Place("cx.touchpoints.web.v1", 1, 2), patched=False)}
    shown = refusals.newest([rejected()], known, VIEW, (UTC, NOW / 1000))
    assert "<script" not in shown
    assert "place=cx.rejected.v1-0%407" in shown
    assert shown != refusals.newest([rejected()], {}, VIEW, (UTC, NOW / 1000))
    assert refusals.newest([rejected()], None, VIEW, (UTC, NOW / 1000)) == refusals.newest(
        [rejected()], {}, VIEW, (UTC, NOW / 1000)
    )


def test_a_single_one_is_told_in_words() -> None:
    shown = refusals.one(rejected(), Content(3, text=HOSTILE), {}, UTC)
    assert "<script" not in shown
    assert "Is it misspelt?" in shown
    assert "sent so far" in shown
    assert "not known" in refusals.one(rejected(), Content(3, begins_with="00"), None, UTC)
    strange = Rejected(PLACE, "billing", "odd", "", "", "", None, NOW, b"", b"")
    assert "<p " not in refusals.one(strange, Content(0, record={"a": HOSTILE}), {}, UTC)


def test_what_became_of_records_is_told_in_a_line() -> None:
    to = Place("cx.touchpoints.web.v1", 1, 2)
    assert refusals.told([Outcome(PLACE, "sendable")], UTC) == "It would be taken now."
    assert refusals.told([Outcome(PLACE, "unsendable", why="json")], UTC) == "It stays: json"
    assert refusals.told([Outcome(PLACE, "sent", NOW, to)], UTC).startswith("Sent at 2026-")
    assert refusals.told([Outcome(PLACE, "sent_before", NOW, to)], UTC).startswith("It was sent before, at 2026-")
    both = [Outcome(PLACE, "sendable"), Outcome(to, "sendable"), Outcome(to, "unsendable", why="json")]
    assert refusals.told(both, UTC) == "2 would be sent, 1 stay"
    assert refusals.sendable(both) == [PLACE, to]
    assert refusals.told([], UTC) == "none"


@pytest.mark.parametrize(
    ("payload", "stage", "found"),
    [
        (b'{"a": 1}', "intake", Content(8, record={"a": 1})),
        (b'{"a": ', "intake", Content(6, text='{"a": ')),
        (b"[1]", "intake", Content(3, text="[1]")),
        (b'{"a": NaN}', "intake", Content(10, text='{"a": NaN}')),
        (b'{"a": 1e999}', "intake", Content(12, text='{"a": 1e999}')),
        (b'{"a": 1, "a": 2}', "intake", Content(16, text='{"a": 1, "a": 2}')),
        (b'{"a": "\\ud800"}', "intake", Content(15, text='{"a": "\\ud800"}')),
        (b'{"\\udfff": 1}', "intake", Content(13, text='{"\\udfff": 1}')),
        (DEEP.encode(), "intake", Content(len(DEEP), text=DEEP)),
        (b'{"a": NaN}', "resolve", Content(10, begins_with=b'{"a": NaN}'.hex())),
        ('{"a": "\U0001f600"}'.encode(), "intake", Content(13, record={"a": "\U0001f600"})),
        (b"\xff\xfe", "intake", Content(2, begins_with="fffe")),
        (b"a\x01", "intake", Content(2, begins_with="6101")),
        (b"", "intake", Content(0, text="")),
        (b"no touchpoint", "resolve", Content(13, begins_with=b"no touchpoint".hex())),
        (b"\0\0\0\0\1x", "resolve", Content(6, begins_with="000000000178")),
    ],
)
def test_what_bytes_hold(payload: bytes, stage: str, found: Content) -> None:
    assert content(rejected(payload, stage), decoders_of(Settings.model_validate({}))) == found


def test_what_avro_holds() -> None:
    held = content(rejected(encoded("e", NOW, "ann")), decoders_of(Settings.model_validate({})))
    assert held.record is not None
    assert (held.record["event_id"], held.text, held.begins_with) == ("e", None, None)
