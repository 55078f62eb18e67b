"""What the intake tells of a source that it stopped: an alert like those of the watch, which leaves it alone."""

from pipeline.health.alerts import Alert, Book, advance, alert_of, newest
from pipeline.health.judge import RULES
from pipeline.intake.sources import RULE, told
from tests.harness.touchpoints import HOUR, NOW


def test_the_watch_knows_it_and_leaves_it_alone() -> None:
    """It is read back as what it is about, and no round of other rules resolves or withdraws it."""
    alert = told("web-shop", NOW, NOW + 1, stopped=True)
    known = alert_of(alert.record(), NOW)
    assert (known.rule, known.subject, known.state) == (RULE, "web-shop", "open")
    book, changed = advance(Book(newest([known])), {}, RULES, NOW + HOUR)
    assert changed == []
    assert book.open() == {(RULE, "web-shop"): known}


def test_when_the_source_is_taken_again_it_is_resolved() -> None:
    """The same alert, in a later version."""
    opened, closed = told("web-shop", NOW, NOW + 1, stopped=True), told("web-shop", NOW, NOW + 2, stopped=False)
    assert newest([closed, opened]) == {opened.alert_id: closed}
    assert closed.state == "resolved"


def test_an_alert_that_somebody_else_has_written_does_no_harm() -> None:
    """Whatever its id looks like."""
    odd = Alert("odd", 1, "odd.rule", "info", "open", NOW, "odd")
    assert odd.subject == "odd"
    assert advance(Book(newest([odd])), {}, RULES, NOW)[1] == []
