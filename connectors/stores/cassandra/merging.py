"""Rows of an order that lie in several partitions, read as one: each partition page by page, no further than is asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Fetch = Callable[[T | None], Awaitable[Sequence[T]]]
"""The rows behind one (None: the first), in order; none: there are no more."""


class _Source(Generic[T]):
    def __init__(self, fetch: Fetch[T]) -> None:
        self._fetch = fetch
        self._last: T | None = None
        self.rows: deque[T] = deque()
        self.ended = False

    async def fill(self) -> None:
        if self.rows or self.ended:
            return
        page = await self._fetch(self._last)
        self.ended = not page
        if page:
            self.rows.extend(page)
            self._last = page[-1]


async def merged(fetches: Sequence[Fetch[T]], key: Callable[[T], Any], descending: bool = False) -> AsyncIterator[T]:
    """Rows of all, in the order of ``key``, which is the order of each."""
    sources = [_Source(fetch) for fetch in fetches]
    choose = max if descending else min
    await asyncio.gather(*(source.fill() for source in sources))
    while live := [source for source in sources if source.rows]:
        first = choose(live, key=lambda source: key(source.rows[0]))
        yield first.rows.popleft()
        await first.fill()
