"""Who may ask, what browsers are told, and the count of it all: one layer around the whole app."""

import ipaddress
import re
import socket
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.metrics import Metrics
from pipeline.serve.models import ErrorOut, Fault

# NiceGUI puts scripts and styles into its page and makes functions of text; all else is kept to this very host.
CSP: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
KNOWN: Final = re.compile(
    r"/(v1/.*|registry/.*|healthz|readyz|metrics|openapi\.json|assets/.*|favicon\.ico|_nicegui.*|sources|customers?|customer/[^/]*"
    r"|rejected)?"
)


MOST_BYTES: Final = 2 << 20
"""The largest body of a request: a redrive of as many places as one may name, with a patch, is less than half of it."""


class Guard:
    """Refuses foreign hosts and origins, unknown addresses and endless bodies, sets headers, counts requests by route template."""

    def __init__(self, app: ASGIApp, host: str, metrics: Metrics) -> None:
        self._app = app
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request or websocket on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal:
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        await self._answer(refusal or self._app, scope, receive, send)

    async def _answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        try:
            await app(scope, _bounded(receive), with_headers)
        finally:
            route = _template(scope)
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.monotonic() - began)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(_name(host)):
            return PlainTextResponse("this server does not go by that name; use its address or localhost\n", 400)
        origin = headers.get("origin")
        if origin and origin.partition("://")[2].lower() != host.lower():
            return PlainTextResponse("requests from pages of other sites are not answered\n", 403)
        if not KNOWN.fullmatch(scope["path"]):
            return PlainTextResponse("there is no such page; the board is at /\n", 404)
        if scope["type"] == "http" and not _is_taken(scope["method"], scope["path"]):
            fault = Fault(code="method_not_allowed", message="nothing is done here by that method")
            return JSONResponse(ErrorOut(error=fault).model_dump(mode="json", exclude_none=True), 405)
        return None

    def _is_ours(self, name: str) -> bool:
        # A page that rebinds its own name to this machine shows that name; an address cannot be rebound.
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _is_taken(method: str, path: str) -> bool:
    """Whether anything is done by a method. What reaches the board's pages by another one is logged there with its address, which
    may name a person."""
    if method == "GET" or path.startswith(("/registry/", "/_nicegui")):
        return True
    return method == "POST" and path.startswith("/v1/")


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise HTTPException(413, f"a request may have {MOST_BYTES} bytes")
        return message

    return bounded


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _template(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path", None)
    if isinstance(path, str):
        return path
    return "assets" if scope["path"].startswith(("/_nicegui", "/assets/")) else "none"
