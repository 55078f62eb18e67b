"""What nobody knows the sender of, by topic, and the alert about it."""

from pipeline.health.alerts import Book, advance
from pipeline.health.judge import RULES, SILENT, Finding
from pipeline.health.unreadable import UNREADABLE, unreadable

TOPICS = ("touchpoints.call.v1", "touchpoints.web.v1")
WEB = TOPICS[1]
NOW = 1_700_438_400_000
MINUTE = 60_000


def told(count: int, *already: str, bound: int = 1000) -> bool:
    """Whether so many on one topic are told of; on the other there are none."""
    found = unreadable({WEB: count, "other": 10**9}, TOPICS, bound, already)
    assert found[TOPICS[0]] == ()
    assert set(found) == set(TOPICS)
    return bool(found[WEB])


def test_it_is_told_from_the_bound_on_and_until_it_is_well_below() -> None:
    assert [told(999), told(1000)] == [False, True]
    assert [told(749, WEB), told(750, WEB)] == [False, True]
    assert not told(10**9, bound=0)


def test_its_alert_opens_and_ends_beside_those_about_sources() -> None:
    """Rounds of one kind do not make those of the other forget how often in a row they have found something."""
    book, states = Book(), []
    silent = Finding(SILENT, "critical", "pbx has been silent")
    for number, count in enumerate((5000, 5000, 5000, 0, 0, 0)):
        now_ms = NOW + number * MINUTE
        standing = [subject for rule, subject in book.open() if rule == UNREADABLE]
        book, of_sources = advance(book, {"pbx": (silent,)}, RULES, now_ms)
        book, of_topics = advance(book, unreadable({WEB: count}, TOPICS, 1000, standing), (UNREADABLE,), now_ms)
        states.append([(alert.rule, alert.subject, alert.state) for alert in (*of_sources, *of_topics)])
    assert states == [
        [],
        [(SILENT, "pbx", "open"), (UNREADABLE, WEB, "open")],
        [],
        [],
        [],
        [(UNREADABLE, WEB, "resolved")],
    ]
