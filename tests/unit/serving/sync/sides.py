"""Two deployments over fakes, and a way to ask their applications, straight or through a liar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
from blake3 import blake3

from schemas.records import MemoryFact
from streams.core.block import BlockRef
from streams.serving.app import create_app
from streams.serving.progress import Standing
from streams.serving.sync.kept import Kept
from streams.serving.sync.partner import Partner
from tests.identity import OPERATOR_TOKEN, bearer
from tests.unit.serving.world import World, upsert

Lie = Callable[[str, Any], Any]
"""Of a target and what an honest side answers there, what is answered instead."""


class ToApp:
    """An Exchange with a world's application."""

    def __init__(self, world: World, lie: Lie | None = None) -> None:
        transport = httpx.ASGITransport(app=create_app(world.services))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=bearer(OPERATOR_TOKEN))
        self._lie = lie

    async def __call__(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        answer = await self._http.request(method, target, content=body, headers={"content-type": "application/json"})
        if self._lie is not None and answer.is_success:
            return answer.status_code, orjson.dumps(self._lie(target, answer.json()))
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._http.aclose()


def ask(world: World, name: str = "here", lie: Lie | None = None) -> Partner:
    return Partner(name, ToApp(world, lie))


def agent_of(number: int) -> bytes:
    return blake3(number.to_bytes(4, "big")).digest(20)


class Deployment:
    """A world whose memory agent has taken in every block. Checkpoints of all heights are kept."""

    def __init__(self) -> None:
        self.world = World()
        self._total = 0
        self._settle(self.world.blocks[0])

    @property
    def store(self) -> Any:
        return self.world.memories

    async def grow(self, facts_of: Callable[[BlockRef], list[MemoryFact]], fork: int = 0) -> BlockRef:
        """A block with facts, in log and store."""
        ref = self.world.grow(fork)
        facts = facts_of(ref)
        await self.world.memories.apply(facts)
        for fact in facts:
            self._total += int.from_bytes(blake3(fact["cause"] + fact["memory_id"]).digest(), "little")
        self._settle(ref)
        return ref

    def _settle(self, ref: BlockRef) -> None:
        self.world.progress.kept[ref.number] = Kept(ref.number, ref.hash, (self._total % 2**256).to_bytes(32, "little"))
        self.world.progress.standings["memory"] = Standing({}, ref)

    async def blocks(self, count: int, agents: int = 5, fork: int = 0) -> None:
        """Blocks with a memory for each of some agents."""

        def facts_of(ref: BlockRef) -> list[MemoryFact]:
            return [upsert(agent_of(n), ref, n % 256, f"did {n} at {ref.number}") for n in range(agents)]

        for _ in range(count):
            await self.grow(facts_of, fork)


async def twins(blocks: int = 6, agents: int = 5) -> tuple[Deployment, Deployment]:
    """Two that hold the same."""
    pair = Deployment(), Deployment()
    for one in pair:
        await one.blocks(blocks, agents)
    return pair
