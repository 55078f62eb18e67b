"""The HTTP API of sources: how each fares."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Path, Request

from pipeline.serve import models, present_sources
from pipeline.serve import source_models as out
from pipeline.serve.api import ERRORS
from pipeline.serve.errors import ApiError
from pipeline.serve.sources_now import SourceDesk

router = APIRouter(prefix="/v1/sources", tags=["sources"])


def install(app: FastAPI, desk: SourceDesk, zone: ZoneInfo) -> None:
    """Answer questions about sources from the desk."""
    app.state.source_desk = desk
    app.state.zone = zone
    app.include_router(router)


@router.get("", response_model=out.SourcesOut, responses={503: ERRORS[503]})
async def sources(request: Request) -> out.SourcesOut:
    """All sources that were heard of within eight weeks: last event, rate now and usual, rejected share, open alerts."""
    desk: SourceDesk = request.app.state.source_desk
    return present_sources.all_sources(await desk.read())


@router.get(
    "/{name:path}",
    response_model=out.SourceAnswerOut,
    responses={404: {"model": models.ErrorOut, "description": "No such source"}, **ERRORS},
)
async def source(
    request: Request,
    name: Annotated[str, Path(max_length=300, description="The source's name", examples=["pbx-north"])],
) -> out.SourceAnswerOut:
    """One source: also its fields, kinds of data, hours, lateness and clock."""
    desk: SourceDesk = request.app.state.source_desk
    now = await desk.read()
    if name not in now.readings:
        raise ApiError(404, "not_found", "no such source was heard of within eight weeks; /v1/sources lists them")
    return present_sources.details(now, name, request.app.state.zone)
