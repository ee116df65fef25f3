"""``/mcp`` of the gateway: the protocol over streamable HTTP, each request on its own.

Assumes the middlewares around the application have checked host, size and token of the request. Invariants: nothing is kept
between requests, so any gateway of several can answer any of them; a tool asks the same application, with the token of the
request, so that it can do what its caller could do over REST and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.serving.client import AsyncClient
from streams.serving.faults import UnavailableError
from streams.serving.limits import BODY_LIMIT, refuse
from streams.serving.mcp.caller import of_each_request
from streams.serving.mcp.server import MemoryServer
from streams.serving.transport import InProcess


class McpEndpoint:
    """An ASGI application; ``running`` once around all requests."""

    def __init__(self, gateway: Callable[[], ASGIApp]) -> None:
        """``gateway``: the application that answers what the tools ask."""
        self._gateway = gateway
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves within; may be entered again after it ended."""
        exchange = InProcess(self._gateway())
        server = MemoryServer(of_each_request(lambda token: AsyncClient(token=token, exchange=exchange)))
        manager = StreamableHTTPSessionManager(
            server._lowlevel_server, json_response=True, stateless=True, max_request_body_size=BODY_LIMIT
        )
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._manager is None:
            await refuse(send, UnavailableError("the gateway is starting or ending", "Ask again in a moment."), scope["path"])
            return
        await self._manager.handle_request(scope, receive, send)
