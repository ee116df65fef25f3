"""Where the agents of the run live: the whole gateway application over the embedded stores on disk.

The log is played: what the gateway sends is carried out as the stream agents carry it out, many commands in one transaction of
each store. Several processes may stand on the same folder, each a gateway of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from schemas.codec import codec
from schemas.records import MemoryCommand, MemoryFact
from streams.agents.access import CHANGES
from streams.agents.memory_facts import command_facts
from streams.ports.stores import VectorRow
from streams.serving.app import create_app
from streams.serving.commands import Acknowledged
from tests.isolation.asgi import Door
from tests.serving_fakes import FakeEmbedder, FakeMemoryStore, FakeVectorStore
from tests.unit.serving.world import World

MAP_SIZE = 8 << 30
"""Address space of each store; what is on disk is what was written."""


class Played:
    """A CommandLog that a memory agent and an embedding agent have read to its end when ``send`` returns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[tuple[list[MemoryFact], asyncio.Future[None]]] = []
        self._there = asyncio.Event()
        self._sent = 0

    async def send(self, command: MemoryCommand) -> Acknowledged:
        self._sent += 1
        if command["op"] in CHANGES:
            self._world.access.take(command)
            return Acknowledged(0, self._sent)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((command_facts(command["agent"], command), done))
        self._there.set()
        await done
        return Acknowledged(0, self._sent)

    async def send_raw(self, agent: bytes, command_id: bytes, value: bytes) -> Acknowledged:
        return await self.send(codec().decode(value)[1])

    async def run(self) -> None:
        """Carries out what waits, all of it at once, until cancelled."""
        while True:
            await self._there.wait()
            self._there.clear()
            batch, self._waiting = self._waiting, []
            try:
                await self._carry_out([fact for facts, _ in batch for fact in facts])
            except Exception as error:
                for _, done in batch:
                    done.set_exception(error)
                raise
            for _, done in batch:
                if not done.cancelled():
                    done.set_result(None)

    async def _carry_out(self, facts: list[MemoryFact]) -> None:
        await self._world.memories.apply(facts)
        kept = [fact for fact in facts if fact["memory"] is not None]
        texts = [fact["memory"]["content"].decode() for fact in kept if fact["memory"] is not None]
        vectors = self._world.embedder.embed(texts) if texts else []
        rows = [VectorRow(fact["owner"], fact["memory_id"], vector) for fact, vector in zip(kept, vectors, strict=True)]
        await self._world.index.upsert(rows)
        await self._world.index.delete([(fact["owner"], fact["memory_id"]) for fact in facts if fact["op"] == "DELETE"])


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[tuple[World, Door]]:
    """A gateway over the stores in ``folder``."""
    memories = LmdbMemoryStore(folder / "memories", MAP_SIZE)
    index = LmdbVectorStore(folder / "vectors", dimension=FakeEmbedder.dimension, map_size=MAP_SIZE)
    world = World(memories=cast("FakeMemoryStore", memories), index=cast("FakeVectorStore", index))
    log = Played(world)
    agent = asyncio.create_task(log.run())
    try:
        yield world, Door(create_app(replace(world.services, commands=log)))
    finally:
        agent.cancel()
        with suppress(asyncio.CancelledError):
            await agent
        world.close()
        await memories.close()
        await index.close()
