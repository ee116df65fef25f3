"""A receiver of webhooks on this machine: an HTTP server that keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aiohttp import web

SECRET = b"a secret that both of them know"
Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass
class Post:
    """One request."""

    headers: dict[str, str]
    raw: bytes
    peer: Any

    @property
    def id(self) -> str:
        return self.headers["X-Monmouth-Id"]

    @property
    def said(self) -> Any:
        return json.loads(self.raw)

    @property
    def genuine(self) -> bool:
        """As a receiver that knows the secret finds out."""
        signed = f"{self.headers['X-Monmouth-Timestamp']}.".encode() + self.raw
        expected = f"sha256={hmac.new(SECRET, signed, sha256).hexdigest()}"
        return hmac.compare_digest(expected, self.headers["X-Monmouth-Signature"])


@dataclass
class Place:
    """``answer``: of each request; ``posts``: all of them, also those that were refused."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    status: int = 204
    answer: Answer | None = None

    async def take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        assert request.transport is not None
        self.posts.append(Post(dict(request.headers), raw, request.transport.get_extra_info("peername")))
        return web.Response(status=self.status) if self.answer is None else await self.answer(request, raw)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Place]:
    place = Place()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", place.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    place.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/hook?key=hidden"
    try:
        yield place
    finally:
        await runner.cleanup()
