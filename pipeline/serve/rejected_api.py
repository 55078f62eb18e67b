"""The HTTP API of rejected records: what there is, one of them whole, and sending them again."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from pipeline.events import Reason
from pipeline.patch import PatchUnfit, checked
from pipeline.redrive_judging import Mending
from pipeline.redrives import Before, Ledger, Place, Rejected, attempt, before_of, place_of
from pipeline.redriving import Outcome
from pipeline.rejected_content import Content
from pipeline.rejected_rows import Wanted, full_name, since_ms
from pipeline.rejections import in_words
from pipeline.serve import models
from pipeline.serve import rejected_models as out
from pipeline.serve.errors import ApiError
from pipeline.serve.present import iso
from pipeline.serve.redrives import Busy, Redrives, TooMany

router = APIRouter(tags=["rejected records"])
SAME_SITE: Final = ("same-origin", "none")
UNAVAILABLE: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": models.ErrorOut, "description": "A parameter does not fit"},
    503: {
        "model": models.ErrorOut,
        "description": "ClickHouse, Kafka or the registry does not answer; see Retry-After",
    },
}


def redrives(request: Request) -> Redrives:
    """What the app was made with."""
    found: Redrives = request.app.state.redrives
    return found


def from_no_foreign_page(request: Request) -> None:
    """Only a request that a page of another site could not have sent: its browser would have asked for leave first."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "content_type", "send JSON, with the header Content-Type: application/json")
    if request.headers.get("sec-fetch-site", "none").lower() not in SAME_SITE:
        raise ApiError(403, "foreign_page", "requests from pages of other sites are not answered")


In = Annotated[Redrives, Depends(redrives)]


def wanted_of(prefix: str, asked: out.FilterIn) -> Wanted:
    """The filter that is asked for. Raises ApiError."""
    if asked.reason and asked.reason not in set(Reason):
        raise ApiError(422, "invalid_parameter", "reason: no such reason; docs/rejections.md has them all")
    try:
        since = since_ms(asked.since, _now_ms())
    except ValueError as error:
        raise ApiError(422, "invalid_parameter", f"since: {error}") from None
    return Wanted(asked.reason, asked.stage, full_name(prefix, asked.topic), asked.source, since)


def place_in(text: str) -> Place:
    """The place that is asked for. Raises ApiError."""
    try:
        return place_of(text)
    except ValueError:
        raise ApiError(422, "invalid_parameter", f"that is no place of a record, such as {out.PLACE}") from None


@router.get("/v1/rejected", response_model=out.RejectedListOut, responses=UNAVAILABLE)
async def rejected_records(own: In, asked: Annotated[out.ListIn, Query()]) -> out.RejectedListOut:
    """Rejected records, newest first, and how many there are. What their bytes hold is told of single ones only."""
    total, found = await own.find(wanted_of(own.prefix, asked), asked.limit)
    known = await own.ledger()
    before = before_of(known or {})
    rows = [out.RejectedOut(**_told(one, known, before)) for one in found]
    return out.RejectedListOut(count=total, ledger_known=known is not None, rejected=rows)


@router.get(
    "/v1/rejected/{place:path}",
    response_model=out.RejectedAtOut,
    responses={404: {"model": models.ErrorOut, "description": "Nothing was rejected there"}, **UNAVAILABLE},
)
async def rejected_record(
    own: In, place: Annotated[str, Path(max_length=300, description="topic-partition@offset", examples=[out.PLACE])]
) -> out.RejectedAtOut:
    """What was rejected at a place, and what its bytes hold: this may be personal. There is no sign-in yet, so the server listens
    on this machine only unless it is told otherwise."""
    found = await own.at(place_in(place))
    if not found:
        raise ApiError(404, "not_found", "no rejected record has come from there")
    known = await own.ledger()
    before = before_of(known or {})
    rows = [_whole(one, content, _told(one, known, before)) for one, content in found]
    return out.RejectedAtOut(ledger_known=known is not None, rejected=rows)


@router.post(
    "/v1/rejected/redrive",
    response_model=out.RedriveOut,
    dependencies=[Depends(from_no_foreign_page)],
    responses={
        403: {"model": models.ErrorOut, "description": "A page of another site asks"},
        409: {"model": models.ErrorOut, "description": "Another redrive is at work"},
        415: {"model": models.ErrorOut, "description": "The body is not sent as application/json"},
        **UNAVAILABLE,
    },
)
async def redrive(own: In, asked: out.RedriveIn) -> out.RedriveOut:
    """Send rejected records again, each at most once however often it is asked for; those alone that would now be taken.

    With `dry_run` nothing is sent. One redrive is at work at a time. It goes on when the caller hangs up; asked again, the answer
    says what was sent.
    """
    which = _which(own, asked)
    try:
        mending = Mending(None if asked.patch is None else checked(asked.patch))
        outcomes = await own.run(which, mending, dry_run=asked.dry_run)
    except (PatchUnfit, TooMany) as error:
        raise ApiError(422, "invalid_parameter", str(error)) from None
    except Busy as error:
        raise ApiError(409, "busy", str(error)) from None
    counts = Counter[str](one.status for one in outcomes)
    return out.RedriveOut(dry_run=asked.dry_run, counts=dict(counts), records=[_outcome(one) for one in outcomes])


def _which(own: Redrives, asked: out.RedriveIn) -> Sequence[Place] | Wanted:
    chosen = asked.filter
    if (asked.places is None) == (chosen is None):
        raise ApiError(422, "invalid_parameter", "say which: `places` or `filter`, and not both")
    if chosen is None:
        return [place_in(text) for text in asked.places or []]
    if chosen == out.FilterIn():
        raise ApiError(422, "invalid_parameter", "filter: say which; for all of some days use `since`")
    return wanted_of(own.prefix, chosen)


def _told(one: Rejected, known: Ledger | None, before: Before) -> dict[str, Any]:
    again = (known or {}).get(one.place)
    same = ("stage", "source", "event_type", "channel", "reason", "field", "expected", "got", "schema_id")
    return {
        **{name: getattr(one, name) for name in same},
        "place": str(one.place),
        "rejected_at": iso(one.rejected_at),
        "attempt": max(one.attempt, attempt(one.place, before)),
        "sent_again": iso(again.at) if again else None,
        "sent_to": str(again.to) if again else None,
    }


def _whole(one: Rejected, content: Content, told: dict[str, Any]) -> out.RejectedWholeOut:
    meaning, remedy = in_words(one.reason)
    held: dict[str, Any] = {"record": content.record, "text": content.text, "begins_with": content.begins_with}
    return out.RejectedWholeOut(**told, meaning=meaning, remedy=remedy, size=content.size, **held)


def _outcome(one: Outcome) -> out.OutcomeOut:
    at, to = (iso(one.at) if one.at else None), (str(one.to) if one.to else None)
    return out.OutcomeOut(place=str(one.place), status=one.status, at=at, to=to, why=one.why)


def _now_ms() -> int:
    return int(time.time() * 1000)
