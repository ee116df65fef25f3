"""The REST application: routes, limits, and one shape for every error."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import Route

from streams import __version__
from streams.errors import Category, MonmouthError
from streams.metrics import count_error
from streams.portability.envelope import LARGEST
from streams.serving.described import completed
from streams.serving.faults import NotFoundError, Refusal, TooLargeError
from streams.serving.gate import Authentication
from streams.serving.limits import Limits, body_of, headers_of
from streams.serving.mcp.endpoint import McpEndpoint
from streams.serving.registry.routes import registry_routes
from streams.serving.registry.shape import MEDIA_TYPE, error_body, is_registry
from streams.serving.routers import (
    access,
    agent_states,
    cache,
    changes,
    circuits,
    commitments,
    dashboard,
    erasure,
    graph,
    logs,
    memories,
    packages,
    page,
    query,
    sessions,
    shared,
    shared_query,
    shared_sessions,
    state,
    sync,
    understanding,
)
from streams.serving.services import Services
from streams.serving.wire import ErrorBody

log = logging.getLogger(__name__)

ERRORS = {status: {"model": ErrorBody} for status in (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503, 504)}
MESSAGE_LIMIT = 500
INWARD = {Category.DATABASE, Category.CONFIGURATION}  # their messages name files; they stay in the log
ROUTERS = (
    query.router,
    memories.router,
    access.router,
    shared.router,
    shared_query.router,
    packages.router,
    sessions.router,
    shared_sessions.router,
    changes.router,
    commitments.router,
    agent_states.router,
    erasure.router,
    logs.router,
    understanding.router,
    graph.router,
    state.router,
    cache.router,
    circuits.router,
    sync.router,
    dashboard.router,
    dashboard.socket_router,
    page.router,
)
NAMES = {refusal.status: refusal.error for refusal in (NotFoundError, TooLargeError)}


def create_app(services: Services, host: str = "127.0.0.1", package_limit: int = LARGEST) -> FastAPI:
    """The application. ``host``: the address it is served on; requests for other host names are refused; ``package_limit``:
    bytes of a package.
    """
    mcp = McpEndpoint(lambda: app)
    app = FastAPI(
        title="Monmouth gateway",
        version=__version__,
        summary="Memories of on-chain AI agents: ask, store, list, forget, prove.",
        responses={status: dict(model) for status, model in ERRORS.items()},
        lifespan=lambda _: mcp.running(),
        dependencies=[Depends(HTTPBearer(auto_error=False))],  # for the document alone: Authentication asks, below
    )
    app.state.services = services
    described = app.openapi
    app.openapi = lambda: app.openapi_schema or completed(described())  # type: ignore[method-assign]
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(Route("/mcp", mcp, methods=["POST"], include_in_schema=False))
    app.router.routes.append(registry_routes())
    app.add_exception_handler(MonmouthError, _monmouth_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _defect)
    app.add_middleware(Authentication, gate=services.gate)
    app.add_middleware(Limits, host=host, package_limit=package_limit)
    return app


async def _monmouth_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MonmouthError)
    if isinstance(error, Refusal):
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            count_error(error)
        return JSONResponse(body_of(error.error, error.message, error.hint), error.status, headers=headers_of(error))
    count_error(error)
    log.warning("%s %s: %s", request.method, request.url.path, error)
    if error.category in INWARD:
        body = body_of(
            error.category.value, f"a part of the gateway failed ({error.category})", "See /health, and the gateway's log."
        )
    else:
        body = body_of(error.category.value, error.message, error.hint)
    return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE, headers={"retry-after": "1"})


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    message = "; ".join(faults)[:MESSAGE_LIMIT]
    return JSONResponse(body_of("invalid", message, "/docs describes every request."), HTTPStatus.UNPROCESSABLE_ENTITY)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if is_registry(request.url.path):
        return JSONResponse(error_body(error.status_code, str(error.detail)), error.status_code, media_type=MEDIA_TYPE)
    name = NAMES.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    body = body_of(name, str(error.detail), "/docs lists the routes." if error.status_code in {404, 405} else "")
    return JSONResponse(body, error.status_code, headers=dict(error.headers or {}))


async def _defect(request: Request, error: Exception) -> Response:
    count_error(error)
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    body = body_of("internal", "the gateway broke on this request", "The gateway's log has the details.")
    return JSONResponse(body, HTTPStatus.INTERNAL_SERVER_ERROR)
