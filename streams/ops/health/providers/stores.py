"""The stores, each asked for something by its own client: a query of Cassandra, a search in Milvus, a read of a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from streams.ops.health.finding import HEALTHY, Finding


class Store:
    """``question``: raises if the store does not answer, or answers nonsense; gives a complaint, or nothing."""

    def __init__(self, name: str, question: Callable[[], Awaitable[object]], interval: float | None = None) -> None:
        self.name = name
        self.interval = interval
        self._question = question

    async def probe(self) -> Finding:
        complaint = await self._question()
        return Finding("degraded", str(complaint)) if complaint else HEALTHY

    async def close(self) -> None:
        pass
