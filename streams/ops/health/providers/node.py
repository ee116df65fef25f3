"""The chain's node: which chain it serves, and how old its newest block is by the block's own time."""

from __future__ import annotations

from collections.abc import Callable

from streams import wall
from streams.ops.health.finding import Finding, Level
from streams.ports.chain import NodeLook


class Node:
    """``chain_id`` None: any. ``degraded`` and ``failed``: age of the newest block in seconds from which on it is that."""

    name = "node"
    interval: float | None = None

    def __init__(
        self,
        node: NodeLook,
        chain_id: int | None,
        degraded: float,
        failed: float,
        now: Callable[[], float] = wall.time_of_day,
    ) -> None:
        self._node = node
        self._chain_id = chain_id
        self._degraded = degraded
        self._failed = failed
        self._now = now

    async def probe(self) -> Finding:
        newest = await self._node.look()
        if self._chain_id is not None and newest.chain_id != self._chain_id:
            return Finding("failed", f"it serves chain {newest.chain_id}, and chain {self._chain_id} is expected")
        age = max(0.0, self._now() - newest.timestamp)
        said = f"chain {newest.chain_id}, block {newest.number}, {age:.0f} s old"
        level = Level("age of the newest block", age, self._failed, " s")
        if age >= self._failed:
            return Finding("failed", said, levels=(level,))
        return Finding("degraded" if age >= self._degraded else "healthy", said, levels=(level,))

    async def close(self) -> None:
        await self._node.close()
