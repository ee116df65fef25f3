"""A reader that keeps a copy of one agent's rows by asking only for what changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from streams.ports.stores import MemoryStore, VectorStore, Version

Read = Callable[[Sequence[bytes]], Awaitable[Sequence[Any]]]


class Follower:
    """``read``: rows by id, None for one that is gone. ``asked``: ids of the last round; ``restarts``: times begun anew."""

    def __init__(self, store: MemoryStore | VectorStore, agent: bytes, read: Read, limit: int = 3) -> None:
        self.rows: dict[bytes, Any] = {}
        self.version: Version | None = None
        self.asked: list[bytes] = []
        self.restarts = 0
        self._store, self._agent, self._read, self._limit = store, agent, read, limit

    async def follow(self) -> None:
        """Reads pages until none waits."""
        self.asked = []
        more = True
        while more:
            page = await self._store.changes(self._agent, self.version, self._limit)
            assert page is not None
            assert len(page.ids) <= self._limit
            if page.start_over:
                self.rows.clear()
                self.restarts += 1
            for memory_id, row in zip(page.ids, await self._read(page.ids), strict=True):
                self.rows.pop(memory_id, None)
                if row is not None:
                    self.rows[memory_id] = row
            self.asked += page.ids
            self.version, more = page.version, page.more
