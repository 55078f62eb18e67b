"""The intake's HTTP interface: who sends, how much, in which form; then the desk takes it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline import topics
from pipeline.breaker import Bounds
from pipeline.config import Settings, installation_secret
from pipeline.intake import openapi
from pipeline.intake.bodies import FORMS, BodyUnreadable, Form, TooManyEvents, TooMuch, form_of
from pipeline.intake.desk import Desk
from pipeline.intake.judging import Judge
from pipeline.intake.keyfile import Keys, KeysUnreadable, path
from pipeline.intake.keys import Key, find
from pipeline.intake.mapped import Mapped
from pipeline.intake.mapping_files import MappingFiles
from pipeline.intake.metrics import IntakeMetrics
from pipeline.intake.outbox import NotDurable, Outbox
from pipeline.intake.recall import recall
from pipeline.intake.requests import ClientDisconnect, Refusal, body_of, key_of
from pipeline.intake.room import Room
from pipeline.intake.shape import shape_of
from pipeline.intake.sources import Alerts, Sources
from pipeline.intake.verdicts import Fault, FaultAnswer, Verdict, answer
from pipeline.replay.fields import MappingFault
from pipeline.rules import admission_of, codec_of, registry_of
from processors.resolve import Admission
from schemas.registry import RegistryUnavailable

logger = logging.getLogger("touchstream.intake")
TOUCHPOINTS: Final = "/v1/touchpoints"
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PREFLIGHT_S: Final = 600
CLIENT_GONE: Final = 499


@dataclass(frozen=True, slots=True)
class Context:
    """What requests are answered with. `clock` is steady, in seconds; `now` is in milliseconds since epoch, UTC."""

    settings: Settings
    keys: Keys
    desk: Desk
    admission: Admission
    metrics: IntakeMetrics
    sources: Sources
    room: Room
    now: Callable[[], int]
    clock: Callable[[], float]
    secret: bytes
    mappings: MappingFiles

    def mapped(self, name: str) -> Mapped:
        """How bodies become touchpoints by a mapping. Raises Refusal."""
        try:
            return Mapped(self.mappings.of(name), self.secret)
        except MappingFault as fault:
            logger.error("the mapping of a key cannot be used: %s", fault)
            raise Refusal(503, "mapping", "the mapping of this key cannot be used; send it again", 60) from None


def create_app(settings: Settings, bootstrap: str, registry: CollectorRegistry) -> Starlette:
    """The app over Kafka at `bootstrap`, its series in `registry`. Raises OSError, RegistryUnavailable, SchemaUnknown."""
    schemas = registry_of(settings)
    prefix = settings.topic_prefix
    names = [prefix + name for name in (*topics.SOURCES, topics.REJECTED, topics.ALERTS)]
    outbox = Outbox(bootstrap, names, settings.intake_timeout_s, settings.intake_waiting_mb << 20)
    encoder = codec_of(settings).encoder("touchpoint", schemas, f"{names[0]}-value")
    desk = Desk(outbox, encoder, prefix, _now, settings.intake_events)
    told = codec_of(settings).encoder("alert", schemas, f"{prefix}{topics.ALERTS}-value")
    metrics = IntakeMetrics(registry, outbox)
    bounds = Bounds(settings.breaker_run, settings.breaker_share, pause_s=settings.breaker_pause_s)
    alerts = Alerts(outbox, told, prefix + topics.ALERTS, _now)
    context = Context(
        settings,
        Keys(path(settings)),
        desk,
        admission_of(settings, schemas),
        metrics,
        Sources(bounds, alerts, metrics, time.monotonic),
        Room(2 * settings.intake_body_bytes),
        _now,
        time.monotonic,
        installation_secret(settings),
        MappingFiles(),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with outbox:
            recalling = asyncio.create_task(recall(settings, context.sources))
            try:
                yield
            finally:
                recalling.cancel()
                await asyncio.wait([recalling])

    async def ready(_: Request) -> Response:
        if outbox.is_ready:
            return _json(200, {"status": "ready"})
        return _refused(Refusal(503, "not_durable", "Kafka does not answer", 2))

    routes = [
        Route(TOUCHPOINTS, Touchpoints(context).post, methods=["POST"]),
        Route(TOUCHPOINTS, Touchpoints(context).options, methods=["OPTIONS"]),
        Route("/openapi.json", _document, methods=["GET"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False  # to an address that the request itself has named
    return app


class Touchpoints:
    """`/v1/touchpoints`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        """Take a body of touchpoints."""
        began, key = self._context.clock(), None
        try:
            key = self._key(request)
            response = await self._taken(request, key)
        except Refusal as refusal:
            response = _refused(refusal)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_GONE)
        self._context.metrics.answered(response.status_code)
        self._context.metrics.seconds.observe(self._context.clock() - began)
        return _for_pages(response, request, key.origins if key else ())

    async def options(self, request: Request) -> Response:
        """Tell a page's browser whether it may send; it asks before it sends, and without the key."""
        try:
            origins = [origin for key in self._context.keys.now().values() for origin in key.origins]
        except KeysUnreadable as error:
            return _refused(_unreadable(error))
        return _for_pages(Response(status_code=204), request, origins)

    async def _taken(self, request: Request, key: Key) -> Response:
        form = self._form(request, key)
        self._context.sources.let_in(key)
        body = await body_of(request, self._context.settings.intake_body_bytes)
        with self._context.room.of(len(body)):
            verdicts = await self._stored(body, form, key)
        await self._context.sources.answered(key, verdicts)
        told = answer(verdicts)
        status = 202 if told.accepted or told.duplicate or not verdicts else 422
        return _json(status, told)

    def _form(self, request: Request, key: Key) -> Form | Mapped:
        if key.mapping:
            return self._context.mapped(key.mapping)
        form = form_of(request.headers.get("content-type", "application/json"))
        if form is None:
            raise Refusal(415, "content_type", f"a body may be {', '.join(FORMS)}")
        return form

    async def _stored(self, body: bytes, form: Form | Mapped, key: Key) -> list[Verdict]:
        settings = self._context.settings
        judge = Judge(key.source, shape_of("touchpoint"), self._context.admission, settings.intake_event_bytes)
        try:
            return await self._context.desk.take(body, form, judge)
        except BodyUnreadable as error:
            why = error.why
            await self._context.sources.judged(key.source, 0, 1)
            raise Refusal(400, why.reason.value, f"expected {why.expected}, got {why.got}; it is kept") from None
        except TooManyEvents:
            raise Refusal(413, "too_many", f"a request may hold {settings.intake_events} events at most") from None
        except TooMuch:
            raise Refusal(413, "too_large", "its rows become too much together: send fewer at once") from None
        except NotDurable as error:
            raise Refusal(503, "not_durable", f"{error}; send it again", error.retry_after_s) from None
        except RegistryUnavailable:
            raise Refusal(503, "registry", "the schema registry does not answer; send it again", 5) from None

    def _key(self, request: Request) -> Key:
        try:
            key = find(self._context.keys.now(), key_of(request), self._context.now())
        except KeysUnreadable as error:
            raise _unreadable(error) from None
        if key is None:
            raise Refusal(401, "key", "no such key, or it has expired: `touchstream keys add SOURCE` makes one")
        origin = request.headers.get("origin")
        if origin is not None and origin not in key.origins:
            raise Refusal(403, "origin", "this key is not for pages of that origin")
        return key


def _for_pages(response: Response, request: Request, origins: tuple[str, ...] | list[str]) -> Response:
    origin = request.headers.get("origin")
    response.headers["Vary"] = "Origin"
    if origin is not None and origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "POST"
        response.headers["Access-Control-Allow-Headers"] = "authorization, content-type, content-encoding, x-api-key"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
        # A beacon sends cookies along, and its page must be allowed to; they are not looked at.
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def _unreadable(error: KeysUnreadable) -> Refusal:
    logger.error("%s", error)
    return Refusal(503, "keys", "the keys cannot be read; send it again", 30)


def _refused(refusal: Refusal) -> Response:
    response = _json(refusal.status, FaultAnswer(Fault(refusal.code, str(refusal))))
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _json(status: int, content: object) -> Response:
    return Response(msgspec.json.encode(content), status, HEADERS, "application/json")


async def _document(_: Request) -> Response:
    return _json(200, openapi.document())


async def _alive(_: Request) -> Response:
    return _json(200, {"status": "alive"})


def _now() -> int:
    return time.time_ns() // 1_000_000
