"""The HTTP API: one customer, the scores over all, and how the process itself is."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from pipeline.keys import Keyring
from pipeline.serve import models, present, read_customer, read_period
from pipeline.serve.clickhouse import Source
from pipeline.serve.errors import ApiError
from pipeline.serve.hub import Hub
from pipeline.serve.identify import LONGEST, meaning
from pipeline.serve.metrics import Metrics
from pipeline.serve.periods import PERIODS
from pipeline.serve.sources_now import SourceDesk

READY_S = 15.0

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Context:
    """What every answer draws on."""

    source: Source
    keyring: Keyring
    hub: Hub
    metrics: Metrics
    desk: SourceDesk


def context(request: Request) -> Context:
    """The context that the app was made with."""
    found: Context = request.app.state.context
    return found


def timeline_page(
    limit: Annotated[int, Query(ge=1, le=500, description="Touchpoints on the page")] = 50,
    before: Annotated[
        str | None, Query(max_length=400, description="ISO 8601 time, or next_before of the page read last")
    ] = None,
    days: Annotated[int, Query(ge=1, le=36_500, description="How far back from the page's newest touchpoint")] = 365,
    sessions: Annotated[int, Query(ge=0, le=500, description="Sessions listed, newest first")] = 20,
) -> read_customer.Page:
    """The page of the timeline that the parameters ask for."""
    try:
        cursor = None if before is None else present.cursor_of(before)
    except ValueError:
        raise ApiError(422, "invalid_parameter", "before: not an ISO 8601 time such as 2026-03-02T09:30:12Z") from None
    return read_customer.Page(cursor, limit, days, sessions)


In = Annotated[Context, Depends(context)]
PageIn = Annotated[read_customer.Page, Depends(timeline_page)]
ERRORS: dict[int | str, dict[str, Any]] = {
    422: {"model": models.ErrorOut, "description": "A parameter does not fit"},
    503: {"model": models.ErrorOut, "description": "ClickHouse does not answer; see Retry-After"},
}


@router.get(
    "/v1/customers/{identifier:path}",
    response_model=models.CustomerOut,
    responses={
        404: {"model": models.ErrorOut, "description": "Nobody is known by it"},
        409: {"model": models.ErrorOut, "description": "A bare value names several persons"},
        **ERRORS,
    },
    tags=["customers"],
)
async def customer(
    identifier: Annotated[
        str,
        Path(
            max_length=LONGEST,
            description="`namespace:value`, a person's own name `p_...`, or a bare value",
            examples=["customer:cdnow-00001", "p_0f6a3b2c9d8e7f605142"],
        ),
    ],
    own: In,
    page: PageIn,
    personal: Annotated[bool, Query(description="Also give values of identifiers, free text, account, agent")] = False,
) -> models.CustomerOut:
    """Everything known of one person: facts, scores, sessions, journeys and a page of touchpoints, newest first.

    Answers hold personal data: with `personal=true` also the identifiers themselves. There is no sign-in yet, so the
    server listens on this machine only unless it is told otherwise.
    """
    found = await read_customer.find(own.source, meaning(identifier, own.keyring))
    if not found:
        raise ApiError(404, "not_found", "nobody is known by this identifier; write it as namespace:value, or as p_...")
    if len(found) > 1:
        names = sorted(one.person for one in found)
        raise ApiError(409, "ambiguous", "this names several persons; write namespace:value, or one of them", names)
    story = await read_customer.story(own.source, found[0], page)
    return present.customer(found[0], story, personal, (_now_ms(), own.hub.freshness()))


@router.get("/v1/scores", response_model=models.ScoresOut, responses=ERRORS, tags=["scores"])
async def scores(
    own: In,
    window: Annotated[Literal["24h", "7d", "30d", "90d", "all"], Query(description="Ends now, by event time")] = "30d",
    metric: Annotated[str, Query(max_length=64, description="Only this metric", examples=["nps"])] = "",
) -> models.ScoresOut:
    """NPS, CSAT and CES over all persons now, each with its 95% interval and its change against the period before.

    Only customers' own answers count. Scales are never mixed: any other scale stands under `others`, as a mean.
    """
    period, now_ms = PERIODS[window], _now_ms()
    found = await read_period.scores(own.source, period, now_ms, metric)
    return present.scores(period, found, now_ms, own.hub.freshness())


@router.get("/healthz", tags=["operation"])
async def alive() -> dict[str, str]:
    """The process is alive; says nothing of ClickHouse."""
    return {"status": "alive"}


@router.get("/readyz", tags=["operation"], responses={503: {"description": "Not ready, with the reason"}})
async def ready(own: In) -> Response:
    """ClickHouse answers and the board's data is being renewed."""
    pulse = own.hub.pulse
    fresh = pulse.answered_at is not None and time.time() - pulse.answered_at < READY_S
    if fresh:
        return JSONResponse({"status": "ready"})
    reason = pulse.fault or "the first answer of ClickHouse is still awaited"
    return JSONResponse({"status": "not ready", "reason": reason}, 503, {"Retry-After": "5"})


@router.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
async def metrics(own: In) -> Response:
    """The process's own series, for Prometheus."""
    return Response(own.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.api_route("/v1/{rest:path}", methods=["GET", "POST"], include_in_schema=False)
async def nothing(request: Request) -> Response:
    """Any other address under /v1: answered here, so that a mistyped one never reaches a log."""
    if request.method != "GET":
        raise ApiError(405, "method_not_allowed", "nothing is done here by that method; /openapi.json says what is")
    raise ApiError(404, "no_such_address", "there is no such address; /openapi.json lists them all")


def _now_ms() -> int:
    return int(time.time() * 1000)
