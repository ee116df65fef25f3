"""The outer skin of the gateway: what is refused before any route runs, and what is measured of every request.

Invariants: a body over its limit is never held in memory, declared or not; at most ``IN_FLIGHT`` requests run (a stream of
events counts until it begins: there is a limit of its own on those); a browser that another site led here is refused (Host, and
Origin if there is one, must be names of ours).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.portability.envelope import LARGEST
from streams.serving import metrics
from streams.serving.faults import (
    BadRequestError,
    RateLimitedError,
    Refusal,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from streams.serving.registry.shape import error_body, is_registry

BODY_LIMIT = 512 * 1024
IN_FLIGHT = 256
PROBES = frozenset({"/livez", "/readyz", "/ready", "/health", "/api/health"})
"""Asked by machines every few seconds: as requests they would drown those of users, and tell an outage that nobody met."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
EVENT_STREAM = b"text/event-stream; charset=utf-8"
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
PACKAGES = re.compile(r"/v1/agents/[^/]+/import")
"""Where packages are taken in, with POST. Any other route parses its whole body before it runs, whatever its path ends in."""
POLICY_VIOLATION = 1008
"""Close code of a WebSocket."""
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  (compared with, not bound to)


class Limits:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, host: str, package_limit: int = LARGEST) -> None:
        """``package_limit``: of what a package is taken in with; its route holds it only once it has a place for it."""
        self._app = app
        self._package_limit = package_limit
        self._running = 0
        self._hosts: frozenset[str] | None = None if host in ANYWHERE else frozenset((*LOOPBACK, host))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "websocket" and (stranger := self._stranger(headers)) is not None:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": stranger.message})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        takes_package = scope["method"] == "POST" and PACKAGES.fullmatch(scope["path"])
        limit = self._package_limit if takes_package else BODY_LIMIT
        if (refusal := self._refusal(headers, limit)) is not None:
            await refuse(send, refusal, scope["path"])
            return
        self._running += 1
        holding = True

        def let_go() -> None:
            nonlocal holding
            self._running -= holding
            holding = False

        try:
            await self._serve(scope, receive, send, limit, let_go)
        finally:
            let_go()

    def _refusal(self, headers: dict[bytes, bytes], limit: int) -> Refusal | None:
        if self._running >= IN_FLIGHT:
            return UnavailableError(f"{IN_FLIGHT} requests are running", "Ask again in a moment.")
        if (stranger := self._stranger(headers)) is not None:
            return stranger
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return BadRequestError("content-length is not a number")
        return _too_large(limit) if int(length) > limit else None

    def _stranger(self, headers: dict[bytes, bytes]) -> Refusal | None:
        """Why this request was led here by another site, if it was."""
        host = _name(headers.get(b"host", b"").decode("latin-1"))
        if self._hosts is not None and host not in self._hosts:
            return BadRequestError(f"host {host[:80]!r} is not served here", "Use the address the gateway listens on.")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self._hosts is not None and origin and _name(origin.partition("://")[2]) not in self._hosts:
            return BadRequestError(f"pages of {origin[:80]!r} may not use this gateway")
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send, limit: int, let_go: Callable[[], None]) -> None:
        started = time.monotonic()
        status = 0
        taken = 0
        measured = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(TooLargeError.status, _too_large(limit).message)  # the kind FastAPI lets through
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if (b"content-type", EVENT_STREAM) in message["headers"]:
                    let_go()
                    measure()
            await send(message)

        def measure() -> None:
            nonlocal measured
            if measured:
                return
            measured = True
            if scope["path"] in PROBES:
                return
            route = getattr(scope.get("route"), "path", "unknown")
            elapsed = 1000 * (time.monotonic() - started)
            method = scope["method"] if scope["method"] in METHODS else "other"
            metrics.REQUEST_LATENCY.labels(route, method, str(status or 500)).observe(elapsed)

        try:
            await self._app(scope, counted, watched)
        finally:
            measure()


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"the body is larger than {limit} bytes", "Contents may have 64 KiB; gateway.package_mib is for packages."
    )


def _name(host: str) -> str:
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Headers that go with a refusal."""
    if isinstance(refusal, UnauthenticatedError):
        return {"www-authenticate": "Bearer"}
    return {"retry-after": str(refusal.retry_after)} if isinstance(refusal, (UnavailableError, RateLimitedError)) else {}


def body_of(error: str, message: str, hint: str = "") -> dict[str, str]:
    """The one shape of an error."""
    return {"error": error, "message": message, "hint": hint}


async def refuse(send: Send, refusal: Refusal, path: str) -> None:
    """Sends a refusal of what was asked at ``path`` as a whole response."""
    if is_registry(path):
        body = orjson.dumps(error_body(refusal.status, refusal.message))
    else:
        body = orjson.dumps(body_of(refusal.error, refusal.message, refusal.hint))
    extra: Iterable[tuple[bytes, bytes]] = ((k.encode(), v.encode()) for k, v in headers_of(refusal).items())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
