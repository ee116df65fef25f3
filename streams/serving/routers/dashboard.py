"""The live state of the deployment: whole, in parts, as files, and as a stream over a WebSocket.

A browser cannot send a header with a WebSocket, so there the token is the first message: never part of an address, which logs
and histories keep. A page of another origin is refused before it may say anything.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from streams.errors import MonmouthError
from streams.serving.faults import ForbiddenError, NotFoundError, RateLimitedError, Refusal, UnauthenticatedError
from streams.serving.gate import OPERATOR, Gate
from streams.serving.limits import body_of
from streams.serving.ops.exports import FORMATS, exported
from streams.serving.ops.live import Viewer
from streams.serving.services import Served, Services
from streams.serving.wire.dashboard import AlertList, ComponentList, DashboardState, SeriesView

router = APIRouter(prefix="/api", tags=["operations"])
socket_router = APIRouter()

HELLO_SECONDS = 5.0
HELLO_LIMIT = 4_096
SEND_SECONDS = 10.0
UNAUTHENTICATED, FORBIDDEN, TOO_MANY, BAD, TRY_AGAIN = 4401, 4403, 4429, 4400, 1013
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file that stands by itself.",
        "content": {kind.media_type.partition(";")[0]: {"schema": {"type": "string"}} for kind in FORMATS.values()},
    }
}


@router.get("/dashboard", operation_id="dashboard")
async def dashboard(served: Served) -> DashboardState:
    """Everything that the dashboard shows: health, processes, pipeline, reorganisations, alerts, service levels, series."""
    return served.dashboard.state()


@router.get("/components", operation_id="components")
async def components(served: Served) -> ComponentList:
    """Every process that reports or did a short while ago, the worst first. One that is silent is gone, not well."""
    return served.dashboard.components()


@router.get("/alerts", operation_id="alerts")
async def alerts(served: Served) -> AlertList:
    """Alerts that fire now, the worst first, and the last that were resolved."""
    return served.dashboard.alerts()


@router.get("/performance/{metric}", operation_id="performance")
async def performance(
    served: Served,
    metric: Annotated[str, Path(description="Name of a series, as GET /api/dashboard lists them.")],
    duration: Annotated[str, Query(description="Seconds, or a number with s, m or h; at most 12h.")] = "5m",
) -> SeriesView:
    """The history of one series with its trend: by the second up to 12 minutes, by the minute beyond."""
    return served.dashboard.performance(metric, duration)


@router.get("/dashboard/export/{format}", operation_id="export_dashboard", response_class=Response, responses=EXPORTED)
async def export_dashboard(
    served: Served,
    format: Annotated[str, Path(description="json, csv, html, prometheus or influx.")],  # noqa: A002  (the API's name)
) -> Response:
    """What the dashboard shows now, as a file: JSON, CSV for a spreadsheet, or a page that opens without a network; or its
    numbers alone, as Prometheus text or InfluxDB lines.
    """
    kind = FORMATS.get(format)
    if kind is None:
        raise NotFoundError(f"there is no format {format[:40]!r}", f"There are: {', '.join(FORMATS)}.")
    state = served.dashboard.state()
    headers = {
        "content-disposition": f'attachment; filename="{kind.filename(state.at_ms)}"',
        "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(exported(state, format), media_type=kind.media_type, headers=headers)


@socket_router.websocket("/ws/dashboard")
async def live(socket: WebSocket) -> None:
    """A snapshot, then what changes, at most four times a second. The first message of the client is {"token": TOKEN}."""
    services: Services = socket.app.state.services
    if not same_origin(socket.headers.get("origin"), socket.headers.get("host", "")):
        await socket.close(FORBIDDEN, "pages of other origins may not look")
        return
    if services.live.crowded:
        await socket.close(TRY_AGAIN, "too many dashboards are open")
        return
    await socket.accept()
    try:
        viewer = await _admitted(socket, services)
        if viewer is not None:
            await _stream(socket, services, viewer)
    except WebSocketDisconnect:
        pass


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a page of ``origin`` may speak with what is served as ``host``; who is no page says no origin."""
    return origin is None or origin.partition("://")[2].lower() == host.lower()


async def _admitted(socket: WebSocket, services: Services) -> Viewer | None:
    with services.live.waiting():
        try:
            said = await asyncio.wait_for(socket.receive_text(), HELLO_SECONDS)
            await demand_operator(services.gate, said)
            return services.live.join()
        except TimeoutError:
            await _refused(socket, UNAUTHENTICATED, UnauthenticatedError("no token came", "Send it as the first message."))
        except (UnauthenticatedError, ForbiddenError) as refusal:
            code = FORBIDDEN if isinstance(refusal, ForbiddenError) else UNAUTHENTICATED
            await _refused(socket, code, refusal)
        except RateLimitedError as refusal:
            await _refused(socket, TOO_MANY, refusal)
        except Refusal as refusal:
            await _refused(socket, TRY_AGAIN, refusal)
        except (ValueError, KeyError):
            await _refused(socket, BAD, UnauthenticatedError("the first message is no greeting", 'Send {"token": TOKEN}.'))
    return None


async def demand_operator(gate: Gate, said: str) -> None:
    """Raises UnauthenticatedError, ForbiddenError, ValueError unless the greeting is the operator's."""
    if len(said) > HELLO_LIMIT:
        raise ValueError("too long")
    greeting = orjson.loads(said)
    token = greeting.get("token") if isinstance(greeting, dict) else None
    if token is not None and not (isinstance(token, str) and token.isascii()):
        raise ValueError("no token")
    try:
        principal = await gate.principal(f"Bearer {token}".encode() if token else None)
    except Refusal:
        raise
    except MonmouthError:
        raise UnauthenticatedError("the token cannot be checked now") from None
    if principal != OPERATOR:
        raise ForbiddenError("this token does not open that", "The dashboard is for the operator.")


async def _stream(socket: WebSocket, services: Services, viewer: Viewer) -> None:
    sending, listening = asyncio.create_task(_send(socket, viewer)), asyncio.create_task(_listen(socket))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        services.live.leave(viewer)
        for task in (sending, listening):
            task.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)
    if viewer.ended is not None:
        await socket.close(TRY_AGAIN, "frames were not taken in time" if viewer.ended == "slow" else "the gateway is ending")


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    while (frame := await viewer.frame()) is not None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await socket.send_text(frame.decode())
        except TimeoutError:
            viewer.end("slow")


async def _listen(socket: WebSocket) -> None:
    """Nothing is expected; it sees that the other side has left."""
    while True:
        await socket.receive_text()


async def _refused(socket: WebSocket, code: int, refusal: Refusal) -> None:
    """The same body as everywhere, then the end."""
    await socket.send_text(orjson.dumps({"type": "refused", **body_of(refusal.error, refusal.message, refusal.hint)}).decode())
    await socket.close(code, refusal.message[:100])
