"""Places for large bodies: how many may be in memory at once, and one at a time of each agent.

Invariant: whoever waits for a place holds no body yet, and nobody holds one because the other end is slow for more than
``LONGEST`` seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from streams.serving.faults import BadRequestError, RateLimitedError, TooLargeError, UnavailableError

log = logging.getLogger(__name__)

LONGEST = 300.0
PATIENCE = 15.0


class Places:
    """``number`` of them; who finds none free waits ``patience`` seconds."""

    def __init__(self, number: int, patience: float = PATIENCE) -> None:
        self._free = asyncio.Semaphore(number)
        self._patience = patience
        self._inside: set[bytes] = set()

    @asynccontextmanager
    async def one(self, agent: bytes) -> AsyncIterator[None]:
        """A place. Raises RateLimitedError if the agent has one, UnavailableError if none came free."""
        if agent in self._inside:
            raise RateLimitedError("another package of this agent is on its way", "Wait until it is through.", 2)
        self._inside.add(agent)
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await self._free.acquire()
            except TimeoutError:
                raise UnavailableError("other packages are on their way", "Ask again in a moment.", 5) from None
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._inside.discard(agent)


async def body_of(request: Request, most: int) -> bytes:
    """The body. Raises TooLargeError as soon as it has more than ``most`` bytes, BadRequestError if it takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(LONGEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise TooLargeError(
                        f"the body has more than {most} bytes",
                        "Send the file as it is, as application/octet-stream; gateway.package_mib says how much that may be.",
                    )
    except TimeoutError:
        raise BadRequestError(f"the body did not come within {LONGEST:.0f} seconds") from None
    return bytes(body)


class FileResponse(Response):
    """A file from memory. ``place``: given back when it was sent, or was not within ``LONGEST`` seconds."""

    media_type = "application/octet-stream"

    def __init__(self, content: bytes, headers: dict[str, str], place: AsyncExitStack) -> None:
        super().__init__(content, headers=headers)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._place:
            try:
                async with asyncio.timeout(LONGEST):
                    await super().__call__(scope, receive, send)
            except TimeoutError:  # the server closes the connection: what it sent is not whole
                log.warning("%s was not read within %.0f seconds", scope["path"], LONGEST)
