"""The life of an alert about a source."""

from pipeline.health.alerts import (
    OPENS_AFTER,
    RESOLVES_AFTER,
    RESTATED_AFTER_MS,
    Alert,
    Book,
    advance,
    alert_of,
    newest,
)
from pipeline.health.judge import RULES, SILENT, Finding
from pipeline.health.usual import HOUR_MS
from tests.harness.source_hours import MONDAY

FOUND = (Finding(SILENT, "critical", "pbx/1 is silent"),)
MINUTE = 60_000


def go(book: Book, judgements: list[tuple[Finding, ...]], now_ms: int = MONDAY) -> tuple[Book, list[Alert]]:
    written: list[Alert] = []
    for number, findings in enumerate(judgements):
        book, changed = advance(book, {"pbx/1": findings}, RULES, now_ms + number * MINUTE)
        written += changed
    return book, written


def test_it_opens_stays_and_is_resolved() -> None:
    book, written = go(Book(), [FOUND] * 10)
    assert [(a.alert_id, a.version, a.state) for a in written] == [("source.silent/2023-11-20T00Z/pbx/1", 1, "open")]
    assert written[0].subject == "pbx/1"
    assert written[0].raised_ms == MONDAY + (OPENS_AFTER - 1) * MINUTE
    book, written = go(book, [()] * 10)
    assert [(a.version, a.state) for a in written] == [(2, "resolved")]
    assert book.open() == {}


def test_what_flaps_neither_opens_nor_is_resolved() -> None:
    assert go(Book(), [FOUND, ()] * 10)[1] == []
    book, _ = go(Book(), [FOUND] * OPENS_AFTER)
    assert go(book, [*([()] * (RESOLVES_AFTER - 1)), FOUND] * 5)[1] == []


def test_what_is_not_sure_changes_nothing() -> None:
    unsure = (Finding(SILENT, unsure=True),)
    book, _ = go(Book(), [FOUND] * OPENS_AFTER)
    assert go(book, [unsure] * 10)[1] == []
    assert go(Book(), [unsure] * 10)[1] == []


def test_in_the_same_hour_it_is_the_same_alert_again() -> None:
    _, written = go(Book(), [*[FOUND] * 2, *[()] * 3, *[FOUND] * 2])
    assert [(a.version, a.state) for a in written] == [(1, "open"), (2, "resolved"), (3, "open")]
    assert len({a.alert_id for a in written}) == 1


def test_after_a_restart_it_goes_on() -> None:
    _, written = go(Book(), [FOUND] * 3)
    again = Book(newest(alert_of(a.record(), a.written_ms) for a in written))
    assert go(again, [FOUND] * 5)[1] == []
    _, then = go(again, [()] * 3)
    assert [(a.alert_id, a.version, a.state) for a in then] == [(written[0].alert_id, 2, "resolved")]


def test_it_says_so_when_it_becomes_graver_and_not_when_it_becomes_less_grave() -> None:
    less = (Finding(SILENT, "warning", "less"),)
    book, written = go(Book(), [less] * 3)
    assert [(a.version, a.severity) for a in written] == [(1, "warning")]
    book, written = go(book, [FOUND, less, FOUND, less, FOUND])
    assert [(a.version, a.state, a.severity, a.summary) for a in written] == [
        (2, "open", "critical", "pbx/1 is silent")
    ]
    taken = alert_of({**go(Book(), [less] * 2)[1][0].record(), "state": "taken", "version": 7}, MONDAY)
    (graver,) = go(Book({taken.alert_id: taken}), [FOUND] * 3)[1]
    assert (graver.version, graver.state, graver.severity) == (8, "taken", "critical")


def test_one_that_somebody_has_taken_is_resolved_too() -> None:
    _, (alert,) = go(Book(), [FOUND] * 2)
    taken = alert_of({**alert.record(), "state": "taken", "version": 2}, MONDAY)
    assert [(a.version, a.state) for a in go(Book({alert.alert_id: taken}), [()] * 3)[1]] == [(3, "resolved")]


def test_it_is_written_again_before_its_topic_forgets_it() -> None:
    book, _ = go(Book(), [FOUND] * 2)
    _, written = go(book, [FOUND] * 3, MONDAY + RESTATED_AFTER_MS + HOUR_MS)
    assert [(a.version, a.state, a.cause) for a in written] == [(2, "open", "restated")]


def test_one_about_a_source_that_has_gone_is_withdrawn() -> None:
    book, _ = go(Book(), [FOUND] * 2)
    after, written = advance(book, {"other": ()}, RULES, MONDAY + HOUR_MS)
    assert [(a.version, a.state) for a in written] == [(2, "withdrawn")]
    assert after.open() == {}
    assert advance(after, {"other": ()}, RULES, MONDAY + 2 * HOUR_MS)[1] == []


def test_alerts_of_other_rules_are_left_alone() -> None:
    other = Alert("score.fallen/2023-11-20T00Z/nps", 1, "score.fallen", "info", "open", MONDAY, "")
    after, written = advance(Book({other.alert_id: other}), {"pbx": ()}, RULES, MONDAY + 90 * 24 * HOUR_MS)
    assert written == []
    assert after.open() == {("score.fallen", "nps"): other}


def test_closed_ones_are_forgotten_after_their_hour() -> None:
    book, _ = go(Book(), [*[FOUND] * 2, *[()] * 3])
    assert len(book.alerts) == 1
    assert len(go(book, [()], MONDAY + 4 * HOUR_MS)[0].alerts) == 0
