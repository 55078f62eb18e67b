"""What the intake tells of a source that it stopped: an alert like those of the watch, which leaves it alone."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any, cast

from prometheus_client import CollectorRegistry

from pipeline.breaker import Bounds
from pipeline.codec import Decoder
from pipeline.events import Out
from pipeline.health.alerts import Alert, Book, advance, alert_id, alert_of, newest
from pipeline.health.judge import RULES
from pipeline.intake.metrics import IntakeMetrics
from pipeline.intake.outbox import NotDurable, Outbox
from pipeline.intake.sources import RULE, Alerts, Sources, told
from schemas.registry import FileRegistry
from tests.harness.touchpoints import HOUR, NOW, encoder


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


class Unsteady:
    """Stands where Kafka would, and takes nothing at first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.alerts: list[dict[str, Any]] = []

    async def put(self, records: Sequence[Out]) -> None:
        """See Outbox."""
        if self.failures:
            self.failures -= 1
            raise NotDurable("Kafka does not answer", 2)
        found = [Decoder("alert", FileRegistry()).decode(one.value) for one in records]
        self.alerts += [one for one in found if isinstance(one, dict)]


def sources(kafka: Unsteady, *, run: int = 3) -> Sources:
    """Stopped after so many rejects, and tried ever after."""
    outbox = cast(Outbox, kafka)
    times = count(NOW)
    alerts = Alerts(outbox, encoder("alert"), "cx.alerts.v1", lambda: next(times))
    clock = count(0)
    return Sources(Bounds(run, pause_s=0), alerts, IntakeMetrics(CollectorRegistry(), outbox), lambda: next(clock))


def states(kafka: Unsteady) -> list[tuple[str, str]]:
    """Id and state of the alerts that Kafka has taken."""
    return [(one["alert_id"], one["state"]) for one in kafka.alerts]


def test_an_alert_that_kafka_did_not_take_is_told_with_the_next_verdict() -> None:
    """In the state that is true by then."""
    kafka = Unsteady(failures=2)
    known = sources(kafka)
    asyncio.run(known.judged("web-shop", 0, 3))
    asyncio.run(known.judged("web-shop", 0, 1))
    assert kafka.alerts == []
    asyncio.run(known.judged("web-shop", 1, 0))
    asyncio.run(known.judged("web-shop", 1, 0))
    assert states(kafka) == [(alert_id(RULE, "web-shop", NOW), "resolved")]


def test_what_an_earlier_process_stopped_is_resolved_by_the_first_good_event() -> None:
    """Under the alert's own id, once, and for sources that are stopped only."""
    kafka = Unsteady(failures=0)
    known = sources(kafka)
    past = NOW - 5 * HOUR
    left = told("web-shop", past, past, stopped=True)
    other = told("till", past, past, stopped=False)
    known.recall([left, other])
    asyncio.run(known.judged("till", 1, 0))
    asyncio.run(known.judged("web-shop", 0, 2))
    assert kafka.alerts == []
    asyncio.run(known.judged("web-shop", 1, 0))
    asyncio.run(known.judged("web-shop", 1, 0))
    assert states(kafka) == [(left.alert_id, "resolved")]


def test_what_a_process_has_found_out_itself_counts_more_than_an_earlier_alert() -> None:
    """It may read the alerts late."""
    kafka = Unsteady(failures=0)
    known = sources(kafka)
    asyncio.run(known.judged("web-shop", 0, 3))
    asyncio.run(known.judged("web-shop", 1, 0))
    known.recall([told("web-shop", NOW - HOUR, NOW - HOUR, stopped=True)])
    asyncio.run(known.judged("web-shop", 1, 0))
    assert [state for _, state in states(kafka)] == ["open", "resolved"]
