"""From what was read to what the API answers; pure."""

from datetime import UTC, datetime
from typing import Any

from pipeline.serve import models as out
from pipeline.serve.freshness import Freshness
from pipeline.serve.overall import STANDARD, Reading
from pipeline.serve.periods import Period, Span
from pipeline.serve.read_customer import Cursor, Customer, Story, Touch
from pipeline.serve.read_period import Scores


def iso(ms: int) -> str:
    """Milliseconds since epoch as ISO 8601 in UTC."""
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def cursor_text(cursor: Cursor) -> str:
    """The text by which a caller asks for the next page."""
    return f"{iso(cursor.at_ms)}~{cursor.event_id}"


def cursor_of(text: str) -> Cursor:
    """The cursor of a text: ISO 8601 (without a zone: UTC), perhaps with `~` and an event id. Raises ValueError."""
    stamp, _, event_id = text.partition("~")
    at = datetime.fromisoformat(stamp)
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Cursor(round(zoned.timestamp() * 1000), event_id)


def freshness(fresh: Freshness) -> out.FreshnessOut:
    """How old the data is."""
    return out.FreshnessOut(
        state=fresh.state,
        age_s=None if fresh.age_s is None else round(fresh.age_s, 3),
        newest_arrival=None if fresh.newest_at is None else iso(round(fresh.newest_at * 1000)),
        clickhouse_silent_s=round(fresh.silent_s, 3),
        waiting=fresh.waiting,
    )


def scores(period: Period, found: Scores, now_ms: int, fresh: Freshness) -> out.ScoresOut:
    """Scores over all persons."""
    readings = [(reading.scale in STANDARD, _score(reading, found.span)) for reading in found.readings]
    return out.ScoresOut(
        window=period.name,
        start=iso(found.span.start),
        end=iso(found.span.end),
        as_of=iso(now_ms),
        newest_answer=None if found.newest_ms is None else iso(found.newest_ms),
        scores=[score for standard, score in readings if standard],
        others=[score for standard, score in readings if not standard],
        freshness=freshness(fresh),
    )


def _score(reading: Reading, span: Span) -> out.ScoreOut:
    now = reading.now
    named = zip(reading.formula.words, (now.good, now.middle, now.bad), strict=True)
    return out.ScoreOut(
        metric=reading.scale.metric,
        scale=f"{reading.scale.low}-{reading.scale.high}",
        direction=reading.scale.direction,
        formula=reading.formula.name,
        n=now.n,
        value=now.value,
        interval=_interval(reading),
        enough=now.enough,
        counts=dict(named) if reading.scale in STANDARD else {},
        distribution={str(value): count for value, count in reading.distribution.items()},
        previous=_previous(reading, span),
        change=_change(reading),
    )


def _interval(reading: Reading) -> out.IntervalOut | None:
    found = reading.now.interval
    return None if found is None else out.IntervalOut(low=found.low, high=found.high, method=reading.formula.method)


def _previous(reading: Reading, span: Span) -> out.PreviousOut | None:
    before = reading.previous
    if before is None:
        return None
    return out.PreviousOut(start=iso(span.before), end=iso(span.start), n=before.n, value=before.value)


def _change(reading: Reading) -> out.ChangeOut | None:
    change = reading.change
    if change is None:
        return None
    ends = change.interval
    return out.ChangeOut(
        value=change.value, low=ends.low if ends else None, high=ends.high if ends else None, outside=change.outside
    )


def customer(who: Customer, story: Story, personal: bool, as_of: tuple[int, Freshness]) -> out.CustomerOut:
    """Everything known of one person; `as_of` is the time of reading in milliseconds, and the freshness then."""
    now_ms, fresh = as_of
    last = story.touches[-1] if story.touches else None
    seen = {pair: None for touch in story.touches for pair in touch["identifiers"]}
    named = [out.IdentifierOut(namespace=name, value=value) for name, value in seen]
    return out.CustomerOut(
        person=who.person,
        version=who.version,
        cells=who.cells,
        identifiers=named if personal else None,
        first_seen_at=iso(who.first_ms),
        last_seen_at=iso(who.last_ms),
        touchpoints=who.touchpoints,
        channels=who.channels,
        amounts=[out.AmountOut(currency=c, minor_units=m, payments=p) for c, m, p in who.amounts],
        latest_answers=[
            out.LatestAnswerOut(metric=m, scale=s, value=v, answered_at=iso(at)) for m, s, v, at in who.answers
        ],
        scores=[_person_score(row) for row in story.scores],
        sessions=[_session(row) for row in story.sessions],
        journeys=[_journey(row) for row in story.journeys],
        timeline=[_touchpoint(touch, story, personal) for touch in story.touches],
        next_before=cursor_text(Cursor(last["occurred_ms"], last["event_id"])) if last and story.more else None,
        as_of=iso(now_ms),
        freshness=freshness(fresh),
    )


def _person_score(row: tuple[Any, ...]) -> out.PersonScoreOut:
    metric, scale, direction, window, formula, as_of, n, value, low, high = row
    return out.PersonScoreOut(
        metric=metric,
        scale=scale,
        direction=direction,
        window=window,
        formula=formula,
        as_of=iso(as_of),
        n=n,
        value=value,
        interval_low=low,
        interval_high=high,
    )


def _session(row: tuple[Any, ...]) -> out.SessionOut:
    session_id, channel, delimited_by, _, started, ended, touchpoints = row
    return out.SessionOut(
        session_id=session_id,
        channel=channel,
        delimited_by=delimited_by,
        started_at=iso(started),
        ended_at=iso(ended),
        touchpoints=touchpoints,
    )


def _journey(row: tuple[Any, ...]) -> out.JourneyOut:
    journey_id, started, ended, touchpoints, channels, path = row
    return out.JourneyOut(
        journey_id=journey_id,
        started_at=iso(started),
        ended_at=iso(ended),
        touchpoints=touchpoints,
        channels=channels,
        path=list(path),
    )


def session_of(touch: Touch, sessions: list[tuple[Any, ...]]) -> str | None:
    """The listed session that holds a touchpoint: by the source's own id, else by channel and time."""
    around = [s for s in sessions if s[1] == touch["channel"] and s[4] <= touch["occurred_ms"] <= s[5]]
    named = [s for s in around if s[3] == touch["source_session"]]
    return next((str(s[0]) for s in named or around), None)


def journey_of(touch: Touch, journeys: list[tuple[Any, ...]]) -> str | None:
    """The listed journey that holds a touchpoint."""
    return next((str(j[0]) for j in journeys if j[1] <= touch["occurred_ms"] <= j[2]), None)


def _touchpoint(touch: Touch, story: Story, personal: bool) -> out.TouchpointOut:
    same = ("event_id", "event_type", "channel", "source", "cell", "actor_type", "reason", "outcome", "duration_ms")
    also = ("site", "vendor", "language", "campaign", "product")
    return out.TouchpointOut(
        **{name: touch[name] for name in (*same, *also)},
        occurred_at=iso(touch["occurred_ms"]),
        arrived_at=iso(touch["arrived_ms"]),
        session_id=session_of(touch, story.sessions),
        journey_id=journey_of(touch, story.journeys),
        answer=_answer(touch),
        amount=_amount(touch),
        promise=touch["promise_kind"],
        personal=_personal(touch) if personal else None,
    )


def _answer(touch: Touch) -> out.AnswerOut | None:
    if touch["metric"] is None:
        return None
    return out.AnswerOut(
        question=touch["question"],
        metric=touch["metric"],
        scale=f"{touch['scale_min']}-{touch['scale_max']}",
        direction=touch["direction"],
        value=touch["value"],
        aspect=touch["aspect"],
    )


def _amount(touch: Touch) -> out.MoneyOut | None:
    if touch["currency"] is None:
        return None
    return out.MoneyOut(currency=touch["currency"], minor_units=touch["minor_units"])


def _personal(touch: Touch) -> out.PersonalOut:
    return out.PersonalOut(
        identifiers=[out.IdentifierOut(namespace=name, value=value) for name, value in touch["identifiers"]],
        account=touch["account"],
        agent=touch["agent"],
        text=touch["text"],
    )
