"""Places for large bodies: how many may be in memory at once, and one at a time of each agent.

Invariant: whoever waits for a place holds no body yet. Nobody holds one because the other end is slow for more than ``LONGEST``
seconds, nor for ``SPAN`` seconds in which fewer than ``LEAST`` bytes went through: others wait longer for a place. A place is
given back when its file is sent, but for what the connection buffers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from streams.serving.faults import BadRequestError, RateLimitedError, TooLargeError, UnavailableError

log = logging.getLogger(__name__)

LONGEST = 300.0
PATIENCE = 15.0
SPAN = 10.0
LEAST = 128 * 1024
RATE = f"{LEAST >> 10} KiB in {SPAN:.0f} seconds, and all in {LONGEST:.0f}"
CHUNK = 64 * 1024
"""Bytes handed to the server at a time: it takes more once most of them are sent."""


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


class Pace:
    """Counts bytes that go through, and lets ``span`` begin anew with each ``LEAST`` of them."""

    def __init__(self, span: asyncio.Timeout) -> None:
        self._span = span
        self._moved = 0

    def moved(self, size: int) -> None:
        """So many bytes more."""
        self._moved += size
        if self._moved >= LEAST:
            self._moved = 0
            self._span.reschedule(asyncio.get_running_loop().time() + SPAN)


@asynccontextmanager
async def paced() -> AsyncIterator[Pace]:
    """Raises TimeoutError where what goes on inside takes too long, or too few bytes go through."""
    async with asyncio.timeout(LONGEST), asyncio.timeout(SPAN) as span:
        yield Pace(span)


async def body_of(request: Request, most: int) -> bytes:
    """The body. Raises TooLargeError as soon as it has more than ``most`` bytes, BadRequestError if it is slow or cut."""
    body = bytearray()
    try:
        async with paced() as pace:
            async for chunk in request.stream():
                body += chunk
                pace.moved(len(chunk))
                if len(body) > most:
                    raise TooLargeError(
                        f"the body has more than {most} bytes",
                        "Send the file as it is, as application/octet-stream; gateway.package_mib says how much that may be.",
                    )
    except TimeoutError:
        raise BadRequestError("the body came too slowly", f"A gateway demands {RATE}.") from None
    except ClientDisconnect:
        raise BadRequestError("the connection ended before the body did") from None
    return bytes(body)


class FileResponse(Response):
    """A file from memory. ``place``: given back when it was sent, or is read too slowly."""

    media_type = "application/octet-stream"

    def __init__(self, content: bytes, headers: dict[str, str], place: AsyncExitStack) -> None:
        super().__init__(content, headers=headers)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._place:
            try:
                async with paced() as pace:
                    await self._sent(send, pace)
            except TimeoutError:  # the server closes the connection: what it sent is not whole
                log.warning("%s was read too slowly, and is cut off: %s", scope["path"], RATE)

    async def _sent(self, send: Send, pace: Pace) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self.body), CHUNK):
            chunk = bytes(self.body[start : start + CHUNK])
            more = start + CHUNK < len(self.body)
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
            pace.moved(len(chunk))
