"""The chain's nodes: which chain they serve, and how old the newest block is by the block's own time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from streams import wall
from streams.ops.health.finding import ORDER, Finding, Level
from streams.ports.chain import NodeLook


class Node:
    """``chain_id`` None: any. ``degraded`` and ``failed``: age of the newest block in seconds from which on it is that. Of
    several nodes one that is well keeps it from failing. One whose head is old and moves is behind, and has not failed.
    """

    name = "node"
    interval: float | None = None

    def __init__(
        self,
        nodes: Sequence[NodeLook],
        chain_id: int | None,
        degraded: float,
        failed: float,
        now: Callable[[], float] = wall.time_of_day,
    ) -> None:
        self._nodes = nodes
        self._chain_id = chain_id
        self._degraded = degraded
        self._failed = failed
        self._now = now
        self._heads: dict[int, tuple[int, float]] = {}

    async def probe(self) -> Finding:
        if len(self._nodes) == 1:
            return await self._look(self._nodes[0])
        found = await asyncio.gather(*map(self._look, self._nodes), return_exceptions=True)
        answers = [one for one in found if isinstance(one, Finding)]
        if not answers:
            raise next(one for one in found if isinstance(one, BaseException))
        best = min(answers, key=lambda one: ORDER.index(one.status))
        ill = len(found) - sum(one.status == "healthy" for one in answers)
        if best.status == "failed" or not ill:
            return best
        return replace(best, status="degraded", score=0.5, detail=f"{best.detail}; {ill} of {len(found)} nodes are not well")

    async def _look(self, node: NodeLook) -> Finding:
        newest = await node.look()
        if self._chain_id is not None and newest.chain_id != self._chain_id:
            return Finding("failed", f"it serves chain {newest.chain_id}, and chain {self._chain_id} is expected")
        age = max(0.0, self._now() - newest.timestamp)
        said = f"chain {newest.chain_id}, block {newest.number}, {age:.0f} s old"
        level = Level("age of the newest block", age, self._failed, " s")
        still = self._still(self._nodes.index(node), newest.number)
        if age >= self._failed and still >= self._degraded:
            return Finding("failed", said, levels=(level,))
        return Finding("degraded" if age >= self._degraded else "healthy", said, levels=(level,))

    def _still(self, node: int, number: int) -> float:
        """Seconds for which the head has not been seen to move; for ever, at the first look."""
        known, at = self._heads.get(node, (number, -math.inf))
        self._heads[node] = (number, at if number == known else self._now())
        return self._now() - self._heads[node][1]

    async def close(self) -> None:
        for node in self._nodes:
            await node.close()
