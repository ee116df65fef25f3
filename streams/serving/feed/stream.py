"""Feeds as server-sent events: who may have one, how it is written, how it ends.

Invariants:
  * at most ``PER_AGENT`` feeds of one agent and ``OVERALL`` of all are open, and one that ends for whatever reason gives its
    place back;
  * who may follow is asked again every ``QUIET`` seconds, so a feed does not outlive the token it was opened with;
  * a feed ends with an event that says why, and the cursor to resume at; one whose client does not read for ``STUCK`` seconds
    is cut off without.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streams.errors import MonmouthError
from streams.serving import metrics
from streams.serving.faults import RateLimitedError, Refusal, UnavailableError
from streams.serving.feed.cursor import Cursor
from streams.serving.feed.follow import follow
from streams.serving.feed.log import FeedLog
from streams.serving.limits import EVENT_STREAM
from streams.serving.reads import MemoryReads
from streams.serving.wire import Change, ChangeType, FeedEnd

PER_AGENT = 16
OVERALL = 512
QUIET = 15.0
STUCK = 60.0
RETRY_MS = 1_000

Allowed = Callable[[], Awaitable[object]]
"""Raises a Refusal when the follower may not go on."""


class Feeds:
    """All feeds of one gateway. ``stop`` ends them."""

    def __init__(self, log: FeedLog, reads: MemoryReads, *, per_agent: int = PER_AGENT, quiet: float = QUIET) -> None:
        self.log = log
        self.quiet = quiet
        self.stopping = False
        self._reads = reads
        self._per_agent = per_agent
        self._open = Counter[bytes]()

    @property
    def open(self) -> int:
        """Feeds that are open now."""
        return self._open.total()

    async def start_at(self, agent: bytes, cursor: str | None, *, beginning: bool) -> Cursor:
        """Where a feed begins. Raises BadRequestError, CursorLostError, UnavailableError."""
        if cursor is not None:
            return await self.log.checked(agent, Cursor.parse(cursor))
        return await (self.log.oldest(agent) if beginning else self.log.newest(agent))

    def opened(self, agent: bytes, cursor: Cursor, types: Collection[ChangeType], allowed: Allowed) -> Response:
        """The response; takes a place at once. Raises RateLimitedError, UnavailableError."""
        if self.stopping:
            raise UnavailableError("the gateway is ending", "Connect again in a moment.")
        if self._open[agent] >= self._per_agent or self.open >= OVERALL:
            raise RateLimitedError(
                f"{self._open[agent]} feeds of this agent and {self.open} of all are open",
                f"Close one: {self._per_agent} of an agent and {OVERALL} of all may be.",
                retry_after=5,
            )
        self._open[agent] += 1
        metrics.FEEDS.set(self.open)
        return EventStream(self._frames(agent, cursor, types, allowed), lambda: self._closed(agent))

    async def stop(self) -> None:
        """Ends every feed in order, then the connections to the log."""
        self.stopping = True
        self.log.wake()

    def _closed(self, agent: bytes) -> None:
        self._open[agent] -= 1
        if not self._open[agent]:
            del self._open[agent]
        metrics.FEEDS.set(self.open)

    async def _frames(
        self, agent: bytes, cursor: Cursor, types: Collection[ChangeType], allowed: Allowed
    ) -> AsyncIterator[bytes]:
        yield f"retry: {RETRY_MS}\nid: {cursor}\n\n".encode()
        asked = time.monotonic()
        try:
            async with aclosing(follow(self.log, self._reads, agent, cursor, types=types, quiet=self.quiet)) as batches:
                async for told in batches:
                    cursor = told.cursor
                    if told.changes:
                        metrics.FEED_EVENTS.inc(len(told.changes))
                        yield b"".join(_event(change.type, change.cursor, change) for change in told.changes)
                    if self.stopping:
                        raise UnavailableError("the gateway is ending", "Connect again with the last id.")
                    if time.monotonic() - asked >= self.quiet:
                        await allowed()
                        asked = time.monotonic()
                        yield f": still here\nid: {cursor}\n\n".encode()
        except Refusal as refusal:
            metrics.FEEDS_ENDED.labels(refusal.error).inc()
            yield _end(refusal.error, refusal.message, refusal.hint, cursor)
        except MonmouthError as error:
            metrics.FEEDS_ENDED.labels(error.category.value).inc()
            yield _end(error.category.value, "a part of the gateway failed", "See /health, and the gateway's log.", cursor)


class EventStream(Response):
    """Frames as they come, until they end, the client leaves, or it does not read."""

    def __init__(self, frames: AsyncIterator[bytes], closed: Callable[[], None]) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self._frames = frames
        self._closed = closed
        assert (b"content-type", EVENT_STREAM) in self.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [asyncio.create_task(self._write(send)), asyncio.create_task(_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closed()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(results[0], Exception) and not isinstance(results[0], (OSError, TimeoutError)):
            raise results[0]

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for frame in self._frames:
            async with asyncio.timeout(STUCK):
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, cursor: str, data: Change | FeedEnd) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), cursor.encode(), orjson.dumps(data.model_dump(mode="json")))


def _end(error: str, message: str, hint: str, cursor: Cursor) -> bytes:
    name = "overflow" if error == "overflow" else "end"
    return _event(name, str(cursor), FeedEnd(error=error, message=message, hint=hint, cursor=str(cursor)))
